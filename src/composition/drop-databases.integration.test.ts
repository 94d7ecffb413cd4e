import { expect, it } from 'vitest';
import { mariadbSuite, startMariadb } from '../../test/support/mariadb.ts';
import { fillPool, silent, startStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { loadConfig } from '../config/load.ts';
import { DatabaseNames } from '../database/names.ts';
import { newInstanceId } from '../domain/ids.ts';
import { RUNNING_PROCESS_VERSION, type RunningProcess } from '../domain/running-process.ts';
import { dropDatabases } from './drop-databases.ts';

const mariadb = mariadbSuite('drops what is of the deployment once no other process of it runs');
it.skipIf(mariadb.skip)(mariadb.title, async () => {
  await using server = await startMariadb();
  await using store = await startStore();
  const [ours, theirs] = ['ours', 'theirs'].map((deployment) =>
    new DatabaseNames('mariadb', deployment).instance(newInstanceId(), 'a'),
  );
  const root = await server.asRoot();
  try {
    for (const name of [ours, theirs]) await root.query(`CREATE DATABASE ${name ?? ''}`);
    const left = async (): Promise<readonly boolean[]> => {
      const all = (await root.query<{ readonly Database: string }[]>('SHOW DATABASES')).map((row) => row.Database);
      return [ours, theirs].map((name) => all.includes(name ?? ''));
    };
    const { socketPath, user, password } = server.launched;
    const { config } = loadConfig({
      CONTAINER_MODE: 'simulated',
      CONTAINER_IMAGE: 'localhost/unused',
      DEPLOYMENT: 'ours',
      VALKEY_ADDR: `${store.address.host}:${store.address.port}`,
      DATABASE_SOCKET: socketPath,
      DATABASE_USER: user,
      DATABASE_PASSWORD: password,
    });
    const other: RunningProcess = {
      v: RUNNING_PROCESS_VERSION,
      role: 'worker',
      version: '1.0.0',
      host: 'elsewhere',
      pid: process.pid,
      node: 'node1',
      startedAtMs: 0,
      templates: {},
      leads: [],
    };
    await store.processes.announce(other);
    expect(await dropDatabases(config, silent)).toBe(false);
    expect(await left()).toEqual([true, true]);
    await store.processes.leave();
    await fillPool(store, template({ pool: { target: 1, max: 1, replenishThreshold: 0 } }));
    expect(await dropDatabases({ ...config, node: { ...config.node, name: 'node1' } }, silent)).toBe(false);
    expect(await left()).toEqual([true, true]);
    expect(await dropDatabases(config, silent)).toBe(true);
    expect(await left()).toEqual([false, true]);
  } finally {
    await root.end();
  }
});

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis as Valkey } from 'iovalkey';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { launchValkey } from '../../src/launcher/valkey.ts';
import { Cleanups, addressesOf, drawPorts, launchBacking, ownFolder, ownSettings } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { claimPorts } from '../support/port-ranges.ts';
import { Program } from '../support/program.ts';

const cleanups = new Cleanups('a server without replicas');
let env: Readonly<Record<string, string>>;
let api: string;
let valkey: Valkey;
let dir: string;
beforeAll(async () => {
  dir = await ownFolder(cleanups, 'tin-replicas-');
  const backing = await launchBacking(dir, cleanups);
  const instances = await claimPorts(10);
  cleanups.push(() => instances[Symbol.asyncDispose]());
  const ports = await drawPorts();
  env = {
    ...ownSettings(ports, instances),
    ...addressesOf(backing),
    CONTAINER_MODE: 'simulated',
    CRIU_ENABLED: 'false',
    POOL_TARGET_SIZE: '0',
    POOL_MAX_SIZE: '10',
  };
  api = `http://127.0.0.1:${ports.server}`;
  const [host = '', port] = backing.valkey.address.split(':');
  valkey = new Valkey(Number(port), host);
  cleanups.push(() => valkey.disconnect());
  await valkey.config('SET', 'min-replicas-to-write', '1');
  await valkey.config('SET', 'repl-diskless-sync-delay', '0');
});
afterAll(() => cleanups[Symbol.asyncDispose]());

/** Started, and waiting. */
async function waiting(): Promise<Program> {
  const server = new Program(['serve'], env);
  cleanups.push(() => server[Symbol.asyncDispose]());
  await eventually(() => fetch(`${api}/health`)).catch((error: unknown) => {
    throw new Error(server.output, { cause: error });
  });
  return server;
}

it('says that it is not ready, and stops when it is told to', async () => {
  const server = await waiting();
  for (const path of ['/ready', '/', '/api/v1/pool/stats']) {
    const answer = await fetch(api + path);
    expect([path, answer.status]).toEqual([path, 503]);
    expect(answer.headers.get('retry-after')).toBe('2');
    expect(await answer.json()).toMatchObject({
      code: 'store_unavailable',
      detail: expect.stringContaining('has too few replicas') as string,
    });
  }
  expect((await fetch(`${api}/metrics`)).status).toBe(200);
  const said = server.output.split('\n').filter((line) => line.includes('Waiting until Valkey takes changes'));
  expect(said).toEqual([expect.stringContaining('lower `min-replicas-to-write`')]);
  server.signal('SIGTERM');
  expect(await server.exitCode, server.output).toBe(0);
  expect(await valkey.dbsize()).toBe(0);
});

it('begins as soon as there is a replica', async () => {
  const server = await waiting();
  await mkdir(join(dir, 'replica'), { mode: 0o700 });
  const { host, port } = valkey.options;
  const replica = await launchValkey({
    dir: join(dir, 'replica'),
    args: ['--replicaof', host ?? '', String(port)],
  });
  cleanups.push(() => replica.server.stop());
  await eventually(async () => expect((await fetch(`${api}/ready`)).status, server.output).toBe(200));
  expect(server.output).toContain('"Valkey takes changes"');
  server.signal('SIGTERM');
  expect(await server.exitCode, server.output).toBe(0);
});

import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Dockerode from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpointContext } from '../../src/composition/checkpoint-context.ts';
import type { DatabaseEngine } from '../../src/domain/database.ts';
import type { Template } from '../../src/domain/template.ts';
import { createPromoted } from '../../src/pool/checkpoints.ts';
import { loadAttackerImage } from '../hostile/attacker-image.ts';
import { launchEngine, titleFor, whyWithout, type LaunchedEngine } from '../support/container-engine.ts';
import { Cleanups } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { mariadbSuite, startMariadb, type TestMariadb } from '../support/mariadb.ts';
import { postgresSuite, startPostgres, type TestPostgres } from '../support/postgresql.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { silent } from '../support/store.ts';
import { template } from '../support/templates.ts';
import type { TinyImage } from '../support/tiny-image.ts';

const MIB = 2 ** 20;
const PATIENT = { timeoutMs: 240_000 };
const READY = 3;
const never = new AbortController().signal;

/** How each attempt has to end. What is done has to be without effect, which is looked at. */
const ENDS: Readonly<Record<DatabaseEngine, Readonly<Record<string, RegExp>>>> = {
  mariadb: {
    'table outside': /^done$/,
    file: /^1227$/,
    account: /^1227$/,
    setting: /^1227$/,
    // The connection is lost in the middle of a statement, or is gone at the next one.
    memory: /^(1927|2006|2013|2026)$/,
    'prepared transaction': /^done$/,
  },
  postgresql: {
    'table outside': /^42501$/,
    file: /^42501$/,
    program: /^42501$/,
    account: /^42501$/,
    setting: /^42501$/,
    memory: /^57P01$/,
    'prepared transaction': /^55000$/,
  },
};
/** More than each server takes of all together. */
const HOARD: Readonly<Record<DatabaseEngine, number>> = { mariadb: 8_050, postgresql: 550 };
const ENGINES = ['mariadb', 'postgresql'] as const;

const skip = mariadbSuite('visitors who attack MariaDB').skip || postgresSuite('visitors who attack PostgreSQL').skip;

interface Held {
  readonly id: string;
  readonly origin: string;
}

describe.skipIf(skip).each(['podman', 'docker'] as const)('visitors who attack their database servers', (name) => {
  describe.skipIf(whyWithout(name) !== undefined)(titleFor(name), () => {
    const cleanups = new Cleanups('attacks on database servers');
    let launched: LaunchedEngine;
    let image: TinyImage;
    let mariadb: TestMariadb;
    let postgresql: TestPostgres;

    beforeAll(async () => {
      launched = await launchEngine(name);
      cleanups.push(() => launched[Symbol.asyncDispose]());
      image = await loadAttackerImage(launched.socketPath, { mariadb: '/usr/bin/mariadb', psql: psqlPath() });
      cleanups.push(() => image[Symbol.asyncDispose]());
      mariadb = await startMariadb();
      cleanups.push(() => mariadb[Symbol.asyncDispose]());
      postgresql = await startPostgres();
      cleanups.push(() => postgresql[Symbol.asyncDispose]());
    });
    afterAll(() => cleanups[Symbol.asyncDispose]());

    const offered = async (): Promise<Template[]> => {
      const overrides = (engine: DatabaseEngine): Partial<Template> => ({
        name: engine,
        image: image.name,
        port: image.port,
        limits: { memoryBytes: 128 * MIB, cpus: 1, pids: 64 },
        activation: {
          kind: 'exec',
          command: ['/bin/sh', '-c', 'env > /tmp/identity; env > /www/login'],
          timeoutMs: 60_000,
        },
        identity: { kind: 'http', path: '/login' },
        pool: { target: READY, max: 3 * READY, replenishThreshold: 0 },
        ttl: { defaultMs: 3_600_000, maxMs: 3_600_000 },
        maxAgeMs: 7_200_000,
      });
      return [
        await mariadb.templateOf(
          "CREATE TABLE notes (text VARCHAR(100)); INSERT INTO notes VALUES ('welcome');\n",
          overrides('mariadb'),
        ),
        await postgresql.templateOf(
          "CREATE TABLE notes (text text);\nINSERT INTO notes VALUES ('welcome');\n",
          overrides('postgresql'),
        ),
      ].map((each) => template(each));
    };

    it('hurt neither the host nor anybody else there', async () => {
      const { socketPath } = launched;
      const checkpoints = await mkdtemp(join(tmpdir(), 'tin-hostile-databases-'));
      cleanups.push(() => rm(checkpoints, { recursive: true }));
      const templates = await offered();
      await using stack = await startStack({
        engine: name,
        socketPath,
        templates,
        env: {
          CRIU_ENABLED: name === 'podman' ? 'auto' : 'false',
          CHECKPOINT_DIR: checkpoints,
          DATABASE_SOCKET: mariadb.launched.socketPath,
          DATABASE_PASSWORD: mariadb.launched.password,
          POSTGRES_SOCKET: postgresql.launched.socketPath,
          POSTGRES_PASSWORD: postgresql.launched.password,
        },
      });
      await untilFilled(stack);
      for (const engine of ENGINES) await attack(stack, engine, 1);
      if (name === 'docker') return;
      // The same from clones.
      const context = await openCheckpointContext(stack.config, silent);
      try {
        for (const engine of ENGINES) await createPromoted(context, engine, () => undefined, never);
      } finally {
        await context.close();
      }
      for (const engine of ENGINES)
        await eventually(async () => {
          const series = `try_it_now_provisions_total{template="${engine}",method="criu_restore",status="success"}`;
          expect(await metric(stack, series)).toBeGreaterThanOrEqual(READY);
        }, PATIENT);
      await untilFilled(stack);
      for (const engine of ENGINES) await attack(stack, engine, 2);
    });

    /** `time`: how often this stack has been attacked, with this. */
    const attack = async (stack: Stack, engine: DatabaseEngine, time: number): Promise<void> => {
      const docker = new Dockerode({ host: '', socketPath: launched.socketPath });
      const honest = await acquire(stack, docker, engine);
      const abuser = await acquire(stack, docker, engine);
      const hoarder = await acquire(stack, docker, engine);
      const database = (await login(abuser))['NAME'] ?? '';

      const said = await (await fetch(`${abuser.origin}/cgi-bin/abuse-${engine}`)).text();
      const ends = Object.entries(ENDS[engine]);
      expect(said.trim().split('\n')).toEqual(
        ends.map(([what, end]) => expect.stringMatching(new RegExp(`^${what} ${end.source.slice(1)}`)) as unknown),
      );
      expect(readdirSync('/dev/shm').filter((file) => file.includes(database))).toEqual([]);
      expect((await fetch(`${stack.api}/api/v1/demo/${abuser.id}`, { method: 'DELETE' })).ok).toBe(true);

      expect(await (await fetch(`${hoarder.origin}/cgi-bin/connection-hoard?${HOARD[engine]}`)).text()).toBe('begun\n');
      const series = `try_it_now_releases_total{template="${engine}",reason="database_limit"}`;
      await eventually(async () => expect(await metric(stack, series)).toBe(time), PATIENT);

      await eventually(async () => expect(await databasesOf(engine)).not.toContain(database), PATIENT);
      // Whoever had done nothing goes on, and others come.
      expect((await fetch(`${stack.api}/api/v1/demo/${honest.id}`)).status).toBe(200);
      await eventually(async () => expect(await notes(engine, await login(honest))).toEqual(['welcome']), PATIENT);
      expect((await fetch(`${stack.api}/api/v1/demo/${honest.id}`, { method: 'DELETE' })).ok).toBe(true);
      await untilFilled(stack);
    };

    const databasesOf = async (engine: DatabaseEngine): Promise<readonly string[]> => {
      if (engine === 'mariadb') {
        await using root = await mariadb.asRoot();
        return (await root.query<{ Database: string }[]>('SHOW DATABASES')).map((row) => row.Database);
      }
      await using root = await postgresql.asRoot();
      return (await root.query('SELECT datname AS name FROM pg_database')).map((row) => String(row['name']));
    };

    const notes = async (engine: DatabaseEngine, given: Readonly<Record<string, string>>): Promise<string[]> => {
      const { SOCKET: socket = '', NAME: of = '', USER: user = '', PASSWORD: password = '' } = given;
      await using connection = await (engine === 'mariadb' ? mariadb : postgresql).as({
        socket,
        name: of,
        user,
        password,
      });
      const rows = (await connection.query('SELECT text FROM notes')) as { text: string }[];
      return rows.map(({ text }) => text);
    };
  });
});

function psqlPath(): string {
  const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql') : [];
  return versions.map((version) => `/usr/lib/postgresql/${version}/bin/psql`).find(existsSync) ?? '/usr/bin/psql';
}

async function untilFilled({ api }: Stack): Promise<void> {
  await eventually(async () => {
    const stats = await (await fetch(`${api}/api/v1/pool/stats`)).json();
    expect(stats).toMatchObject({ ready: ENGINES.length * READY });
  }, PATIENT);
}

async function acquire({ api }: Stack, docker: Dockerode, of: string): Promise<Held> {
  const response = await fetch(`${api}/api/v1/demo/acquire`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ template: of }),
  });
  expect(response.status).toBe(201);
  const { id } = (await response.json()) as { id: string };
  const [container] = await docker.listContainers({ filters: { label: [`try-it-now.instance=${id}`] } });
  const port = container?.Ports.find(({ PrivatePort }) => PrivatePort === 80)?.PublicPort;
  return { id, origin: `http://127.0.0.1:${port}` };
}

/** What its activation was given. */
async function login({ origin }: Held): Promise<Readonly<Record<string, string>>> {
  const text = await (await fetch(`${origin}/login`)).text();
  return Object.fromEntries(
    [...text.matchAll(/^TRY_IT_NOW_DATABASE_(\w+)=(.*)$/gm)].map(([, key = '', value = '']) => [key, value]),
  );
}

async function metric({ api }: Stack, series: string): Promise<number> {
  const text = await (await fetch(`${api}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1));
}

import { chown, copyFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Connection } from 'mariadb';
import { newAttempt, newInstanceId } from '../../src/domain/ids.ts';
import type { Template } from '../../src/domain/template.ts';
import { findProgram } from '../../src/launcher/child-server.ts';
import { startMariadb, type TestMariadb } from '../support/mariadb.ts';
import { figure, median, percentile, type Figure } from './figures.ts';

const TABLES = 12;
const ROWS_A_TABLE = 83;
const CLONES = 20;
const IN_PARALLEL = 4;

/** About what a fresh WordPress with some content holds: 12 tables, 1,000 rows, 3 MB. */
const SEED = Array.from({ length: TABLES }, (_table, number) => {
  const rows = Array.from(
    { length: ROWS_A_TABLE },
    (_row, id) => `(${id}, '${'lorem ipsum '.repeat(250)}', 'title ${id}')`,
  );
  return `CREATE TABLE wp_${number} (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  author BIGINT NOT NULL, at DATETIME NOT NULL DEFAULT '2020-01-01',
  content LONGTEXT NOT NULL, title VARCHAR(191) NOT NULL,
  KEY a (author), KEY t (title), KEY d (at, id)) ENGINE=InnoDB;
INSERT INTO wp_${number} (author, content, title) VALUES ${rows.join(', ')};\n`;
}).join('');

/** Makes the database from `seed`; `spare` is one that was cloned beforehand. */
type Way = (
  connection: Connection,
  to: { readonly name: string; readonly seed: string; readonly spare: string },
  server: TestMariadb,
) => Promise<void>;

const tables = Array.from({ length: TABLES }, (_table, number) => `wp_${number}`);

const copyRows: Way = async (connection, { name, seed }) => {
  await connection.query(`CREATE DATABASE ${name}`);
  for (const table of tables) await connection.query(`CREATE TABLE ${name}.${table} LIKE ${seed}.${table}`);
  await connection.query('START TRANSACTION');
  for (const table of tables) await connection.query(`INSERT INTO ${name}.${table} SELECT * FROM ${seed}.${table}`);
  await connection.query('COMMIT');
};

/** Ways that were weighed against the one in use, in their barest form: without users, grants and checks. */
const WAYS: Readonly<Record<string, Way>> = {
  'running the SQL again': async (connection, { name }) => {
    await connection.query(`CREATE DATABASE ${name}`);
    await connection.query(`USE ${name}`);
    for (const statement of SEED.split(';\n').filter((sql) => sql !== '')) await connection.query(statement);
  },
  'copying rows': copyRows,
  'copying tablespaces': async (connection, { name, seed }, server) => {
    await using holding = await server.asRoot();
    await holding.query(`FLUSH TABLES ${tables.map((table) => `${seed}.${table}`).join(', ')} FOR EXPORT`);
    await connection.query(`CREATE DATABASE ${name}`);
    for (const table of tables) {
      await connection.query(`CREATE TABLE ${name}.${table} LIKE ${seed}.${table}`);
      await connection.query(`ALTER TABLE ${name}.${table} DISCARD TABLESPACE`);
      for (const file of [`${table}.ibd`, `${table}.cfg`])
        await copyAsItIs(join(server.dir, 'data', seed, file), join(server.dir, 'data', name, file));
    }
    await holding.query('UNLOCK TABLES');
    for (const table of tables) await connection.query(`ALTER TABLE ${name}.${table} IMPORT TABLESPACE`);
  },
  'renaming a spare one': async (connection, { name, spare }) => {
    await connection.query(`CREATE DATABASE ${name}`);
    await connection.query(`RENAME TABLE ${tables.map((table) => `${spare}.${table} TO ${name}.${table}`).join(', ')}`);
  },
};

/** An instance's database: how long one takes to be made and dropped, and what other ways of cloning would cost. */
export async function benchDatabaseCloning(): Promise<Figure[]> {
  if (findProgram('mariadbd') === undefined) {
    console.log('Databases are not measured: MariaDB is not installed (make setup installs it).');
    return [];
  }
  await using server = await startMariadb();
  const template = await server.templateOf(SEED);
  const figures = await benchEngine(server, template);
  await using root = await server.asRoot();
  const [row] = await root.query<{ name: string }[]>(
    "SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'tin\\\\_%\\\\_s\\\\_%'",
  );
  for (const [what, way] of Object.entries(WAYS)) {
    for (const workers of [1, IN_PARALLEL])
      figures.push(
        figure(
          `a clone by ${what}, ${workers} at a time, p50`,
          median(await benchWay(server, way, row?.name ?? '', workers)),
          'ms',
        ),
      );
  }
  return figures;
}

async function benchEngine(server: TestMariadb, template: Template): Promise<Figure[]> {
  const databases = server.databases({ catalogue: [template] });
  const loading = await timed(() => databases.prepare([template]));
  const figures = [figure('loading a seed of 3 MB, once', loading, 'ms')];
  for (const workers of [1, IN_PARALLEL]) {
    const names = Array.from({ length: CLONES }, () =>
      databases.nameFor(template, { instanceId: newInstanceId(), attempt: newAttempt() }),
    );
    const making = await spread(names, workers, (name) => timed(() => databases.create(name, template)));
    const dropping = await spread(names, workers, (name) => timed(() => databases.drop(name)));
    figures.push(
      figure(
        `an instance's database made, ${workers} at a time, p50`,
        median(making),
        'ms',
        ...(workers === 1 ? [{ atMost: 150 }] : []),
      ),
      figure(`an instance's database made, ${workers} at a time, p95`, percentile(making, 0.95), 'ms'),
      figure(`an instance's database dropped, ${workers} at a time, p50`, median(dropping), 'ms'),
    );
  }
  return figures;
}

async function benchWay(server: TestMariadb, way: Way, seed: string, workers: number): Promise<number[]> {
  await using root = await server.asRoot();
  const clones = Array.from({ length: CLONES }, (_clone, number) => ({
    name: `clone_${number}`,
    seed,
    spare: `spare_${number}`,
  }));
  for (const { spare } of clones) await copyRows(root, { name: spare, seed, spare }, server);
  const samples = await spread(clones, workers, async (clone) => {
    await using connection = await server.asRoot();
    return await timed(() => way(connection, clone, server));
  });
  for (const { name, spare } of clones)
    for (const database of [name, spare]) await root.query(`DROP DATABASE ${database}`);
  return samples;
}

/** So many at a time, each taking the next. */
async function spread<T>(items: readonly T[], workers: number, work: (item: T) => Promise<number>): Promise<number[]> {
  const waiting = [...items];
  const samples: number[] = [];
  await Promise.all(
    Array.from({ length: workers }, async () => {
      for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) samples.push(await work(item));
    }),
  );
  return samples;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

async function copyAsItIs(from: string, to: string): Promise<void> {
  const { uid, gid } = await stat(from);
  await copyFile(from, to);
  await chown(to, uid, gid);
}

import { constants, getPriority } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newAttempt, newInstanceId } from '../../src/domain/ids.ts';
import type { Template } from '../../src/domain/template.ts';
import type { DatabaseCredentials, Databases } from '../../src/pool/interfaces/databases.ts';
import { eventually } from '../support/eventually.ts';
import { postgresSuite, startPostgres, type TestPostgres } from '../support/postgresql.ts';
import { databasesContract } from './databases.ts';

const NOTES =
  "CREATE TABLE notes (id SERIAL PRIMARY KEY, text TEXT NOT NULL);\nINSERT INTO notes (text) VALUES ('welcome');\n";

databasesContract({
  suite: postgresSuite('databases on PostgreSQL'),
  start: startPostgres,
  socketName: '.s.PGSQL.5432',
  notes: NOTES,
  administrator: 'postgres',
  sql: {
    sleep: 'SELECT pg_sleep(50)',
    fill: 'CREATE TABLE large AS SELECT md5(i::text) AS text FROM generate_series(1, 100000) AS i',
    databasesAndUsers: 'SELECT datname AS name FROM pg_database UNION ALL SELECT rolname FROM pg_roles',
    connectionsOf: (user) => `SELECT 1 FROM pg_stat_activity WHERE usename = '${user}' OR datname = '${user}'`,
    dropDatabase: (name) => `DROP DATABASE ${name}`,
    dropUser: (name) => `REASSIGN OWNED BY ${name} TO postgres; DROP OWNED BY ${name}`,
  },
  refused: { code: '28P01' },
});

/** As pg_dump writes it: rows by COPY, the marks of its client, owners left out. */
const DUMP = `\\restrict abc123
SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);
CREATE SCHEMA shop;
CREATE TABLE shop.goods (id integer NOT NULL, name text, price numeric DEFAULT 1);
CREATE SEQUENCE shop.goods_id_seq START WITH 40 OWNED BY shop.goods.id;
ALTER TABLE ONLY shop.goods ALTER COLUMN id SET DEFAULT nextval('shop.goods_id_seq'::regclass);
CREATE FUNCTION shop.twice(n integer) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
  -- COPY is nothing here;
  RETURN n * 2;
END $$;
CREATE VIEW shop.names AS SELECT name FROM shop.goods;
COPY shop.goods (id, name, price) FROM stdin;
1	kettle; \\\\. 🦀	10.50
2	\\N	1
\\.

COPY shop.goods (id) FROM stdin;
\\.
SELECT pg_catalog.setval('shop.goods_id_seq', 41, true);
ALTER TABLE ONLY shop.goods ADD CONSTRAINT goods_pkey PRIMARY KEY (id);
\\unrestrict abc123
`;

const { title, skip } = postgresSuite('rights and seeds of databases on PostgreSQL');

describe.skipIf(skip)(title, () => {
  let server: TestPostgres;
  let template: Template;
  beforeAll(async () => {
    server = await startPostgres();
    template = await server.templateOf(NOTES);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const all: Template[] = [];
  const databases = (): Databases => server.databases({ catalogue: [template, ...all] });
  const created = async (of: Template = template): Promise<DatabaseCredentials> =>
    databases().create(databases().nameFor(of, { instanceId: newInstanceId(), attempt: newAttempt() }), of);
  const rows = async (credentials: DatabaseCredentials, sql: string): Promise<Record<string, unknown>[]> => {
    await using connection = await server.as(credentials);
    return await connection.query(sql);
  };
  const rootSees = async (sql: string, database?: string): Promise<Record<string, unknown>[]> => {
    await using root = await server.asRoot(database);
    return await root.query(sql);
  };
  const seeds = async (): Promise<unknown[]> =>
    (await rootSees("SELECT datname AS name FROM pg_database WHERE datname LIKE '%\\_s\\_%' ORDER BY 1")).map(
      ({ name }) => name,
    );

  it('connects an instance to its own database and to no other, not even a template', async () => {
    const [one, other] = [await created(), await created()];
    for (const name of [other.name, 'postgres', 'template1'])
      await expect(server.as({ ...one, name }), name).rejects.toMatchObject({ code: '42501' });
    for (const name of ['template0', ...(await seeds())])
      await expect(server.as({ ...one, name: String(name) })).rejects.toMatchObject({ code: '55000' });
  });

  it('gives an instance no right beyond its database', async () => {
    const one = await created();
    await using neighbour = await server.as(await created());
    const [row] = await neighbour.query('SELECT pg_backend_pid() AS pid');
    for (const sql of [
      "COPY notes TO '/tmp/tin-must-not-be'",
      "COPY notes TO PROGRAM 'true'",
      "SELECT pg_read_file('/etc/passwd')",
      "SELECT lo_import('/etc/passwd')",
      "SELECT lo_export(lo_create(0), '/tmp/tin-must-not-be')",
      "SELECT pg_ls_dir('/')",
      'CREATE DATABASE more',
      'CREATE ROLE somebody',
      'ALTER ROLE CURRENT_USER SUPERUSER',
      'ALTER ROLE CURRENT_USER CONNECTION LIMIT 100',
      `ALTER DATABASE ${one.name} CONNECTION LIMIT 100`,
      `DROP DATABASE ${one.name}`,
      "SET temp_file_limit = '10GB'",
      'SET ROLE postgres',
      'ALTER SYSTEM SET work_mem = 1',
      'CREATE EXTENSION dblink',
      'CREATE EXTENSION postgres_fdw',
      'CREATE EXTENSION file_fdw',
      "LOAD 'dblink'",
      "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'dblink', 'f'",
      "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p",
      "SELECT pg_create_physical_replication_slot('s')",
      "CREATE TABLESPACE t LOCATION '/tmp'",
      "ALTER ROLE CURRENT_USER SET temp_file_limit = '10GB'",
      "ALTER ROLE CURRENT_USER SET session_preload_libraries = 'dblink'",
      'SELECT rolpassword FROM pg_authid',
      'SELECT pg_hba_file_rules()',
      `SELECT pg_terminate_backend(${String(row?.['pid'])})`,
    ])
      await expect(rows(one, sql), sql).rejects.toMatchObject({
        code: expect.stringMatching(/^(42501|58P01)$/) as unknown,
      });
    expect(await rows(one, 'SHOW statement_timeout')).toEqual([{ statement_timeout: '1min' }]);
    // Nothing that others may do in one's database can be given away: a warning is all it earns.
    await rows(one, `GRANT CONNECT ON DATABASE ${one.name} TO PUBLIC`);
    await expect(server.as({ ...(await created()), name: one.name })).rejects.toMatchObject({ code: '42501' });
    const [said] = await rows(one, `SELECT query FROM pg_stat_activity WHERE usename <> CURRENT_USER AND query <> ''`);
    expect(said?.['query'] ?? '<insufficient privilege>').toBe('<insufficient privilege>');
  });

  it('leaves no transaction prepared, and keeps advisory locks and large objects to their database', async () => {
    const [one, other] = [await created(), await created()];
    await expect(rows(one, "BEGIN; PREPARE TRANSACTION 'mine'")).rejects.toMatchObject({ code: '55000' });
    await using holder = await server.as(one);
    await holder.query('SELECT pg_advisory_lock(7), lo_from_bytea(70001, $$mine$$)');
    expect(await rows(one, 'SELECT pg_try_advisory_lock(7) AS free')).toEqual([{ free: false }]);
    expect(await rows(other, 'SELECT pg_try_advisory_lock(7) AS free')).toEqual([{ free: true }]);
    await expect(rows(other, 'SELECT lo_get(70001)')).rejects.toMatchObject({ code: '42704' });
  });

  it('lets a query that wants all the memory fail by itself', async () => {
    await using one = await server.as(await created());
    // Text of 900 MB, within what PostgreSQL allows and work_mem does not bound.
    await expect(one.query("SELECT length(repeat('x', 900000000))")).rejects.toMatchObject({ code: '53200' });
    expect(await one.query('SELECT 1 AS n')).toEqual([{ n: 1 }]);
  });

  it('ends an instance that takes all the locks of the server, which its neighbours need', async () => {
    const guarding = server.databases({ catalogue: [template, ...all], guards: true });
    await guarding.prepare([template]);
    try {
      await using hostile = await server.as(await created());
      await using neighbour = await server.as(await created());
      await expect(
        hostile.query('SELECT count(pg_advisory_lock(n)) FROM generate_series(1, 10000000) n'),
      ).rejects.toMatchObject({ code: expect.stringMatching(/^(53200|57P01)$/) as unknown });
      await eventually(async () => {
        await expect(hostile.query('SELECT 1')).rejects.toThrow();
        expect(await neighbour.query('SELECT text FROM notes')).toEqual([{ text: 'welcome' }]);
      });
      await created();
    } finally {
      await guarding.close();
    }
  });

  it('ends a statement or a transaction that lasts too long though its session lifted the limits', async () => {
    const sessionBounds = { longestStatementMs: 1_500, longestTransactionMs: 1_500 };
    const guarding = server.databases({ catalogue: [template, ...all], guards: true, sessionBounds });
    await guarding.prepare([template]);
    try {
      await using hostile = await server.as(await created());
      await using neighbour = await server.as(await created());
      await expect(hostile.query('SET statement_timeout = 0; SELECT pg_sleep(3600)')).rejects.toMatchObject({
        code: '57P01',
      });
      await using idle = await server.as(await created());
      await idle.query('SET idle_in_transaction_session_timeout = 0; BEGIN; SELECT * FROM notes');
      await eventually(() => expect(idle.query('SELECT 1')).rejects.toThrow());
      expect(await neighbour.query('SELECT text FROM notes')).toEqual([{ text: 'welcome' }]);
    } finally {
      await guarding.close();
    }
  });

  it('has who computes much come after the others', async () => {
    const sessionBounds = { processorMs: 100, processorShare: 0.05 };
    const guarding = server.databases({ catalogue: [template, ...all], guards: true, sessionBounds });
    await guarding.prepare([template]);
    try {
      await using neighbour = await server.as(await created());
      await using hostile = await server.as(await created());
      const pidOf = async (client: { query(sql: string): Promise<Record<string, unknown>[]> }): Promise<number> =>
        Number((await client.query('SELECT pg_backend_pid() AS pid'))[0]?.['pid']);
      const [usual, computing] = [await pidOf(neighbour), await pidOf(hostile)];
      const before = getPriority(usual);
      const statement = hostile
        .query("SELECT count(sha256(repeat('x', 1000000)::bytea)) FROM generate_series(1, 10000000)")
        .catch(() => undefined);
      await eventually(() => expect(getPriority(computing)).toBe(constants.priority.PRIORITY_LOW));
      expect(getPriority(usual)).toBe(before);
      await rootSees(`SELECT pg_terminate_backend(${computing})`);
      await statement;
    } finally {
      await guarding.close();
    }
  });

  it('ends the sessions of who hoards memory, or keeps the queue of NOTIFY full', async () => {
    const sessionBounds = { memoryBytes: 64 * 2 ** 20 };
    const guarding = server.databases({ catalogue: [template, ...all], guards: true, sessionBounds });
    await guarding.prepare([template]);
    try {
      await using neighbour = await server.as(await created());
      const hostile = await Promise.all(Array.from({ length: 2 }, () => created()));
      const [hoarder, listener] = hostile as [DatabaseCredentials, DatabaseCredentials];
      // Together: each of the two for itself would not.
      await using one = await server.as(hoarder);
      await using other = await server.as(hoarder);
      for (const session of [one, other])
        await session
          .query("SELECT length(set_config('kept.text', repeat('x', 40000000), false))")
          .catch(() => undefined);
      await using keeper = await server.as(listener);
      await keeper.query('LISTEN news');
      await keeper.query('BEGIN; SELECT 1');
      await using sender = await server.as(listener);
      for (let times = 0; times < 20; times += 1)
        await sender.query(`SELECT count(pg_notify('news', repeat('x', 7900) || n)) FROM generate_series(1, 60) n`);
      for (const session of [one, other, keeper])
        await eventually(() => expect(session.query('SELECT 1')).rejects.toThrow());
      const usage = async (): Promise<unknown> =>
        (await rootSees('SELECT pg_notification_queue_usage() < 0.001 AS emptied'))[0]?.['emptied'];
      await eventually(async () => {
        await neighbour.query("NOTIFY own, 'x'");
        expect(await usage()).toBe(true);
      });
      expect(await neighbour.query('SELECT text FROM notes')).toEqual([{ text: 'welcome' }]);
    } finally {
      await guarding.close();
    }
  });

  it('copies everything of a dump as it is, and the instance owns it', async () => {
    const shop = await server.templateOf(DUMP);
    all.push(shop);
    const one = await created(shop);
    expect(await rows(one, 'SELECT id, name, price FROM shop.goods ORDER BY id')).toEqual([
      { id: 1, name: 'kettle; \\. 🦀', price: '10.50' },
      { id: 2, name: null, price: '1' },
    ]);
    expect(await rows(one, "INSERT INTO shop.goods (name) VALUES ('lamp') RETURNING id")).toEqual([{ id: 42 }]);
    expect(await rows(one, 'SELECT shop.twice(4) AS n, count(*)::int AS names FROM shop.names')).toEqual([
      { n: 8, names: 3 },
    ]);
    await rows(one, 'DROP VIEW shop.names; ALTER TABLE shop.goods RENAME TO things; DROP FUNCTION shop.twice');
    expect(
      await rootSees(
        'SELECT DISTINCT pg_get_userbyid(relowner) AS owner FROM pg_class JOIN pg_namespace n ' +
          "ON n.oid = relnamespace WHERE nspname IN ('shop', 'public')",
        one.name,
      ),
    ).toEqual([{ owner: one.name }]);
  });

  it.each([
    ['wrong SQL', 'CREATE TABLE fine (a INT);\n\nCREATE TABLE bad (a NOTATYPE);\n', /at line 3: .*notatype/],
    ['one with owners', 'CREATE TABLE a (a INT);\nALTER TABLE a OWNER TO shop;\n', /pg_dump --no-owner/],
    ['one that wants more', 'CREATE TABLE a (a INT);\nCREATE ROLE more;\n', /permission denied/],
    [
      'one that would run a program',
      'CREATE TABLE a (a INT);\n\\! touch /tmp/tin-must-not-be\n',
      /line 2 is a command/,
    ],
    ['one that hides a program', 'SELECT 1 \\! touch /tmp/tin-must-not-be\n', /at line 1: syntax error/],
    ['one that goes elsewhere', '\\connect postgres\n', /line 1 is a command of the client psql/],
    ['wrong rows', 'CREATE TABLE a (a INT);\nCOPY a FROM stdin;\nx\n\\.\n', /begins at line 2: invalid input syntax/],
    ['one that is cut off', 'CREATE TABLE a (a INT);\nCOPY a FROM stdin;\n1\n', /after line 2 do not end/],
    ['one without tables', '-- nothing\n', /makes no table/],
  ])('refuses a seed: %s; and leaves nothing of it', async (_what, sql, message) => {
    const before = await seeds();
    const wrong = await server.templateOf(sql);
    const failure = databases().prepare([wrong]);
    await expect(failure).rejects.toMatchObject({
      code: 'database_failed',
      message: expect.stringMatching(message) as unknown,
    });
    await expect(failure).rejects.toThrow(wrong.database?.seedFile);
    expect(await seeds()).toEqual(before);
  });

  it('loads a seed once, however many ask, and again when it was cut off or dropped', async () => {
    const sql = NOTES.replace('welcome', 'again');
    const again = await server.templateOf(sql);
    all.push(again);
    const before = await seeds();
    const programs = [databases(), databases()];
    await Promise.all([...programs, ...programs].map((each) => each.prepare([again])));
    const [seed] = (await seeds()).filter((name) => !before.includes(name));
    expect(await seeds()).toHaveLength(before.length + 1);
    // What a load that was cut off leaves: no mark, some of the tables.
    await rootSees(`ALTER DATABASE ${String(seed)} IS_TEMPLATE false ALLOW_CONNECTIONS true`);
    await rootSees('DROP TABLE notes', String(seed));
    expect(await rows(await created(again), 'SELECT text FROM notes')).toEqual([{ text: 'again' }]);
    const [program] = programs;
    await rootSees(`ALTER DATABASE ${String(seed)} IS_TEMPLATE false`);
    await rootSees(`DROP DATABASE ${String(seed)}`);
    const make = async () =>
      program?.create(program.nameFor(again, { instanceId: newInstanceId(), attempt: newAttempt() }), again);
    await expect(make()).rejects.toMatchObject({ code: 'database_failed' });
    const credentials = await make();
    expect(credentials && (await rows(credentials, 'SELECT text FROM notes'))).toEqual([{ text: 'again' }]);
    await server.databases().dropSeedsBut([template]);
    expect(await seeds()).toEqual(before.filter((name) => String(name).endsWith(template.database?.seedDigest ?? '')));
  });
});

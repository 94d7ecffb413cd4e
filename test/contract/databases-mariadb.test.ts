import { chmod, mkdtemp, readdir } from 'node:fs/promises';
import { constants, getPriority } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newAttempt, newInstanceId } from '../../src/domain/ids.ts';
import type { Template } from '../../src/domain/template.ts';
import type { DatabaseCredentials } from '../../src/pool/interfaces/databases.ts';
import { eventually } from '../support/eventually.ts';
import { LogBook } from '../support/queue.ts';
import { mariadbSuite, startMariadb, type TestMariadb } from '../support/mariadb.ts';
import { databasesContract } from './databases.ts';

const NOTES =
  'CREATE TABLE notes (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(100) NOT NULL);\nINSERT INTO notes ' +
  "(text) VALUES ('welcome');\n";

databasesContract({
  suite: mariadbSuite('databases on MariaDB'),
  start: startMariadb,
  socketName: 'mariadb.sock',
  notes: NOTES,
  administrator: 'root',
  sql: {
    sleep: 'SELECT SLEEP(50)',
    fill: "CREATE TABLE large ENGINE = MyISAM AS SELECT REPEAT('x', 10000) AS text FROM seq_1_to_500",
    databasesAndUsers:
      'SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA UNION ALL SELECT User FROM mysql.global_priv ' +
      'UNION ALL SELECT User FROM mysql.db',
    connectionsOf: (user) => `SELECT 1 FROM information_schema.PROCESSLIST WHERE USER = '${user}'`,
    dropDatabase: (name) => `DROP DATABASE ${name}`,
    dropUser: (name) => `DROP USER ${name}@localhost`,
  },
  refused: { errno: 1045 },
});

const { title, skip } = mariadbSuite('the rights of an instance on MariaDB');

describe.skipIf(skip)(title, () => {
  let server: TestMariadb;
  let template: Template;

  beforeAll(async () => {
    server = await startMariadb();
    template = await server.templateOf(NOTES);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const created = async (): Promise<DatabaseCredentials> => {
    const databases = server.databases({ catalogue: [template] });
    return databases.create(
      databases.nameFor(template, { instanceId: newInstanceId(), attempt: newAttempt() }),
      template,
    );
  };
  const rows = async (credentials: DatabaseCredentials, sql: string): Promise<unknown> => {
    await using connection = await server.as(credentials);
    return await connection.query(sql);
  };

  it("shows an instance its own database and nobody else's, not even as wildcards in its rights", async () => {
    const [one, other] = [await created(), await created()];
    expect(await rows(one, 'SHOW DATABASES')).toEqual(expect.arrayContaining([{ Database: one.name }]));
    expect(((await rows(one, 'SHOW DATABASES')) as { Database: string }[]).map((row) => row.Database).sort()).toEqual(
      ['information_schema', one.name].sort(),
    );
    expect(
      await rows(
        one,
        'SELECT DISTINCT table_schema AS s FROM information_schema.tables WHERE table_schema NOT IN ' +
          "('information_schema', 'performance_schema')",
      ),
    ).toEqual([{ s: one.name }]);
    for (const sql of [
      `SELECT * FROM ${other.name}.notes`,
      `DROP DATABASE ${other.name}`,
      'SELECT * FROM mysql.global_priv',
      'SELECT * FROM mysql.user',
      `CREATE DATABASE ${one.name.replaceAll('_', 'x')}`,
    ]) {
      await expect(rows(one, sql), sql).rejects.toMatchObject({ sqlState: '42000' });
    }
  });

  it('gives an instance no right beyond its database', async () => {
    const one = await created();
    await using neighbour = await server.as(await created());
    expect(await rows(one, 'SHOW PROCESSLIST')).toHaveLength(1);
    const forbidden = [
      "SELECT 'x' INTO OUTFILE '/tmp/tin-must-not-be'",
      'SET GLOBAL max_connections = 5',
      'CREATE USER somebody@localhost',
      `GRANT SELECT ON ${one.name}.* TO root@localhost`,
      `KILL ${neighbour.threadId ?? 0}`,
      'SHUTDOWN',
      "INSTALL SONAME 'auth_ed25519'",
      "SET PASSWORD FOR root@localhost = PASSWORD('x')",
      'FLUSH PRIVILEGES',
      "CHANGE MASTER TO MASTER_HOST='x'",
      'SELECT * FROM information_schema.INNODB_TRX',
    ];
    for (const sql of forbidden)
      await expect(rows(one, sql), sql).rejects.toMatchObject({
        sqlState: expect.stringMatching(/^(42000|28000|HY000)$/) as unknown,
      });
    expect(await rows(one, "SELECT LOAD_FILE('/etc/passwd') AS file")).toEqual([{ file: null }]);
    expect(await rows(one, 'SELECT @@max_user_connections AS most')).toEqual([{ most: 20 }]);
  });

  it('writes no table of an instance outside the folder of the server', async () => {
    const one = await created();
    const outside = await mkdtemp(join(server.dir, 'outside-'));
    await chmod(outside, 0o777);
    const where = `DATA DIRECTORY = '${outside}'`;
    for (const [engine, more] of [
      ['InnoDB', where],
      ['MyISAM', `${where} INDEX DIRECTORY = '${outside}'`],
      ['Aria', where],
      ['InnoDB', `PARTITION BY RANGE (a) (PARTITION p VALUES LESS THAN (9) ${where})`],
    ]) {
      await using connection = await server.as(one);
      await connection.query("SET sql_mode = ''");
      await connection.query(`CREATE OR REPLACE TABLE elsewhere (a INT) ENGINE = ${engine} ${more}`);
      await connection.query('INSERT INTO elsewhere VALUES (1)');
      expect(await readdir(outside), engine).toEqual([]);
    }
  });

  it('refuses a session more memory than is good for the others', async () => {
    await using one = await server.as(await created());
    // What most apps leave as it is has to be bounded before anybody sets it.
    expect(
      await one.query('SELECT @@max_session_mem_used >> 20 AS session, @@tmp_disk_table_size >> 20 AS tmp'),
    ).toEqual([{ session: 128, tmp: 512 }]);
    for (const name of ['max_heap_table_size', 'tmp_table_size', 'max_session_mem_used', 'sort_buffer_size'])
      await one.query(`SET ${name} = 1 << 40`);
    expect(
      await one.query(
        'SELECT @@max_heap_table_size >> 20 AS heap, @@tmp_table_size >> 20 AS tmp, ' +
          '@@max_session_mem_used >> 20 AS session, @@sort_buffer_size >> 20 AS sort',
      ),
    ).toEqual([{ heap: 64, tmp: 64, session: 128, sort: 16 }]);
    await one.query('CREATE TEMPORARY TABLE full (a CHAR(250)) ENGINE = MEMORY');
    await expect(one.query("INSERT INTO full SELECT 'x' FROM seq_1_to_1000000")).rejects.toMatchObject({ errno: 1114 });
  });

  it('ends a statement that runs for too long though its session lifted the limit, and no other', async () => {
    const guarding = server.databases({ catalogue: [template], sessionBounds: { longestStatementMs: 1_500 } });
    await guarding.prepare([template]);
    try {
      await using hostile = await server.as(await created());
      await using neighbour = await server.as(await created());
      await hostile.query('SET max_statement_time = 0, timestamp = 2000000000');
      await expect(hostile.query("SELECT BENCHMARK(1e15, SHA2('x', 512))")).rejects.toThrow();
      expect(await neighbour.query('SELECT text FROM notes')).toEqual([{ text: 'welcome' }]);
    } finally {
      await guarding.close();
    }
  });

  it('ends the sessions of who hoards memory: in tables, temporary ones too, or prepared statements', async () => {
    const guarding = server.databases({ catalogue: [template], sessionBounds: { memoryBytes: 24 * 2 ** 20 } });
    await guarding.prepare([template]);
    try {
      await using neighbour = await server.as(await created());
      const fill = "INSERT INTO full_1 SELECT REPEAT('x', 250) FROM seq_1_to_80000";
      // Together, each of two sessions for itself would not.
      for (const statements of [
        ['SET max_heap_table_size = 64 << 20', 'CREATE TEMPORARY TABLE full_1 (a CHAR(250)) ENGINE = MEMORY', fill],
        Array.from({ length: 600 }, (_, n) => `PREPARE statement_${n} FROM 'SELECT 1'`),
      ]) {
        const hostile = await created();
        await using one = await server.as(hostile);
        await using other = await server.as(hostile);
        for (const connection of [one, other])
          for (const sql of statements) await connection.query(sql).catch(() => undefined);
        for (const connection of [one, other])
          await eventually(() => expect(connection.query('SELECT 1')).rejects.toThrow());
      }
      await neighbour.query("PREPARE mine FROM 'SELECT text FROM notes'");
      expect(await neighbour.query('EXECUTE mine')).toEqual([{ text: 'welcome' }]);
    } finally {
      await guarding.close();
    }
  });

  it('says what my.cnf lacks to bound what one instance takes of the others', async () => {
    await using root = await server.asRoot();
    const told = async (): Promise<unknown> => {
      const log = new LogBook();
      await server.databases({ catalogue: [template], log }).prepare([]);
      return log.with('could take the memory of MariaDB').map(({ fields }) => fields['missing']);
    };
    expect(await told()).toEqual([]);
    await root.query('SET GLOBAL max_prepared_stmt_count = 16382');
    try {
      expect(await told()).toEqual([['max-prepared-stmt-count=1048576']]);
    } finally {
      await root.query('SET GLOBAL max_prepared_stmt_count = 1048576');
    }
  });

  it('has who computes much come after the others, and first again once they have rested', async () => {
    const sessionBounds = { processorMs: 100, processorShare: 0.05 };
    const guarding = server.databases({ catalogue: [template], sessionBounds });
    await guarding.prepare([template]);
    try {
      await using root = await server.asRoot();
      await using neighbour = await server.as(await created());
      await using hostile = await server.as(await created());
      const threadOf = async (connection: { readonly threadId: number | null }): Promise<number> => {
        const [row] = await root.query<{ TID: number }[]>(
          `SELECT TID FROM information_schema.PROCESSLIST WHERE ID = ${connection.threadId ?? 0}`,
        );
        return row?.TID ?? 0;
      };
      const [usual, computing] = [await threadOf(neighbour), await threadOf(hostile)];
      const before = getPriority(usual);
      await hostile.query('SET max_statement_time = 0');
      const statement = hostile.query("SELECT BENCHMARK(1e15, SHA2('x', 512))").catch(() => undefined);
      await eventually(() => expect(getPriority(computing)).toBe(constants.priority.PRIORITY_LOW));
      expect(getPriority(usual)).toBe(before);
      await root.query(`KILL QUERY ${hostile.threadId ?? 0}`);
      await statement;
      await eventually(() => expect(getPriority(computing)).toBe(before), { timeoutMs: 180_000 });
    } finally {
      await guarding.close();
    }
  });

  it('ends a transaction that nobody ends, and no other', async () => {
    const guarding = server.databases({ catalogue: [template], sessionBounds: { longestTransactionMs: 1_500 } });
    await guarding.prepare([template]);
    try {
      await using neighbour = await server.as(await created());
      await using hostile = await server.as(await created());
      for (const sql of ['SET time_zone = "+12:00"', 'START TRANSACTION WITH CONSISTENT SNAPSHOT'])
        await hostile.query(sql);
      await eventually(() => expect(hostile.query('SELECT text FROM notes')).rejects.toThrow());
      expect(await neighbour.query('SELECT text FROM notes')).toEqual([{ text: 'welcome' }]);
    } finally {
      await guarding.close();
    }
  });

  it('counts temporary tables to the database of whoever made them', async () => {
    const [one, other] = [await created(), await created()];
    const databases = server.databases({ catalogue: [template] });
    const sizes = async (): Promise<number[]> => {
      const found = await databases.sizes([one.name, other.name]);
      return [one, other].map(({ name }) => found.get(name) ?? 0);
    };
    const [before = 0, ofOther] = await sizes();
    await using hostile = await server.as(one);
    // What fits into the server's cache of Aria is not on the disk.
    for (const [engine, rows] of [
      ['MyISAM', 2_000],
      ['Aria TRANSACTIONAL = 0', 12_000],
    ])
      await hostile.query(
        `CREATE TEMPORARY TABLE more_${rows} ENGINE = ${engine} AS SELECT REPEAT('x', 1000) AS a FROM seq_1_to_${rows}`,
      );
    const [after = 0, unchanged] = await sizes();
    expect(after - before).toBeGreaterThan(2 * 2_000_000);
    expect(unchanged).toBe(ofOther);
  });

  it('drops a database that prepared transactions hold, and leaves those of living sessions alone', async () => {
    const [one, other] = [await created(), await created()];
    await using living = await server.as(other);
    await living.query("XA START 'theirs'");
    await living.query("INSERT INTO notes (text) VALUES ('theirs')");
    for (const xid of ["'mine'", "X'00FF27', X'5C', 2147483647"]) {
      await using hostile = await server.as(one);
      await hostile.query(`XA START ${xid}`);
      await hostile.query("INSERT INTO notes (text) VALUES ('mine')");
      await hostile.query(`XA END ${xid}`);
      await hostile.query(`XA PREPARE ${xid}`);
    }
    await living.query("XA END 'theirs'");
    await living.query("XA PREPARE 'theirs'");
    await server.databases({ catalogue: [template] }).drop(one.name);
    await living.query("XA COMMIT 'theirs'");
    expect(await rows(other, 'SELECT text FROM notes')).toEqual([{ text: 'welcome' }, { text: 'theirs' }]);
  });

  it('rolls back nothing where others have a database too, and says what to do', async () => {
    const one = await created();
    await using root = await server.asRoot();
    {
      await using hostile = await server.as(one);
      for (const sql of ["XA START 'x'", "INSERT INTO notes (text) VALUES ('x')", "XA END 'x'", "XA PREPARE 'x'"])
        await hostile.query(sql);
    }
    await root.query('CREATE DATABASE shop');
    const databases = server.databases({ catalogue: [template] });
    await expect(databases.drop(one.name)).rejects.toThrow(/others too \(shop\).*XA RECOVER/);
    expect(await root.query('XA RECOVER')).toHaveLength(1);
    await root.query('DROP DATABASE shop');
    await databases.drop(one.name);
    expect(await root.query('XA RECOVER')).toEqual([]);
  });

  it('keeps nobody waiting whose database or seed has the name of a lock that an instance holds', async () => {
    await using hostile = await server.as(await created());
    await using root = await server.asRoot();
    const databases = server.databases({ catalogue: [template] });
    const name = databases.nameFor(template, { instanceId: newInstanceId(), attempt: newAttempt() });
    const seeds = await root.query<{ name: string }[]>(
      "SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE '%\\_s\\_%'",
    );
    expect(seeds).not.toEqual([]);
    for (const lock of [name, ...seeds.map((seed) => seed.name)])
      expect(await hostile.query(`SELECT GET_LOCK('${lock}', 0) AS held`)).toEqual([{ held: 1 }]);
    await databases.prepare([template]);
    await databases.create(name, template);
    await databases.drop(name);
  });
});

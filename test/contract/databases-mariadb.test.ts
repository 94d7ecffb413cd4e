import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newAttempt, newInstanceId } from '../../src/domain/ids.ts';
import type { Template } from '../../src/domain/template.ts';
import type { DatabaseCredentials, Databases } from '../../src/pool/interfaces/databases.ts';
import { mariadbSuite, startMariadb, type TestMariadb } from '../support/mariadb.ts';

const NOTES =
  'CREATE TABLE notes (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(100) NOT NULL);\nINSERT INTO notes ' +
  "(text) VALUES ('welcome');\n";
const { title, skip } = mariadbSuite('databases on MariaDB');

describe.skipIf(skip)(title, () => {
  let server: TestMariadb;
  let template: Template;
  const deployments = ['contract', 'contract-b'] as const;
  const databases = (deployment: (typeof deployments)[number] = 'contract'): Databases =>
    server.databases({ deployment, catalogue: [template] });

  beforeAll(async () => {
    server = await startMariadb();
    template = await server.templateOf(NOTES);
    await databases().prepare([template]);
  });
  afterEach(async () => {
    for (const deployment of deployments)
      for (const name of await databases(deployment).list()) await databases(deployment).drop(name);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const created = async (of: Databases = databases()): Promise<DatabaseCredentials> =>
    of.create(of.nameFor({ instanceId: newInstanceId(), attempt: newAttempt() }), template);
  const rows = async (credentials: DatabaseCredentials, sql: string): Promise<unknown> => {
    await using connection = await server.as(credentials);
    return await connection.query(sql);
  };
  const rootSees = async (sql: string): Promise<unknown> => {
    await using root = await server.asRoot();
    return await root.query(sql);
  };

  it('makes a database filled from the seed, with a user who may write in it', async () => {
    const credentials = await created();
    expect(credentials).toMatchObject({ socket: '/run/try-it-now/database/mariadb.sock', user: credentials.name });
    expect(credentials.password.length).toBeGreaterThanOrEqual(22);
    expect(await rows(credentials, 'SELECT id, text FROM notes')).toMatchObject([{ id: 1, text: 'welcome' }]);
    await rows(credentials, "INSERT INTO notes (text) VALUES ('mine')");
    await rows(credentials, 'CREATE TABLE more (a INT)');
    expect(await rows(credentials, 'SELECT text FROM notes ORDER BY id')).toMatchObject([
      { text: 'welcome' },
      { text: 'mine' },
    ]);
  });

  it('keeps what one instance wrote from the other', async () => {
    const [one, other] = [await created(), await created()];
    await rows(one, "INSERT INTO notes (text) VALUES ('secret')");
    expect(await rows(other, 'SELECT text FROM notes')).toMatchObject([{ text: 'welcome' }]);
    expect(one.password).not.toBe(other.password);
  });

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

  it('lets an instance open a bounded number of connections', async () => {
    const one = await created();
    const open = await Promise.allSettled(Array.from({ length: 25 }, () => server.as(one)));
    const kept = open.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    for (const connection of kept) await connection.end();
    expect(kept).toHaveLength(20);
  });

  it('lets nobody in without the password', async () => {
    const one = await created();
    await expect(server.as({ ...one, password: '' })).rejects.toMatchObject({ errno: 1045 });
    await expect(server.as({ ...one, user: 'root', password: '' })).rejects.toMatchObject({ errno: 1045 });
  });

  it('replaces what has the name, with a new password', async () => {
    const first = await created();
    await rows(first, "INSERT INTO notes (text) VALUES ('old')");
    const second = await databases().create(first.name, template);
    expect(await rows(second, 'SELECT text FROM notes')).toMatchObject([{ text: 'welcome' }]);
    await expect(server.as(first)).rejects.toMatchObject({ errno: 1045 });
  });

  it('drops the database, the user, and the connections he has open, one that waits and one that works', async () => {
    const one = await created();
    await using idle = await server.as(one);
    await using busy = await server.as(one);
    await idle.query('START TRANSACTION');
    await idle.query('SELECT * FROM notes');
    const working = busy.query('SELECT SLEEP(50)').then(
      () => 'ended by itself',
      () => 'cut off',
    );
    await databases().drop(one.name);
    expect(await working).toBe('cut off');
    await expect(idle.query('SELECT 1')).rejects.toThrow();
    expect(await rootSees(`SELECT 1 FROM information_schema.PROCESSLIST WHERE USER = '${one.name}'`)).toEqual([]);
    expect(
      await rootSees(
        `SELECT 1 FROM mysql.global_priv WHERE User = '${one.name}' UNION ALL SELECT 1 FROM mysql.db WHERE User ` +
          `= '${one.name}' UNION ALL SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '${one.name}'`,
      ),
    ).toEqual([]);
    await databases().drop(one.name);
  });

  it('lists a database without a user and a user without a database, and drops either', async () => {
    const [one, other] = [await created(), await created()];
    await rootSees(`DROP DATABASE ${one.name}`);
    await rootSees(`DROP USER ${other.name}@localhost`);
    expect([...(await databases().list())].sort()).toEqual([one.name, other.name].sort());
    for (const { name } of [one, other]) await databases().drop(name);
    expect(await databases().list()).toEqual([]);
  });

  it('lists what is only tried from its time on', async () => {
    const of = (nowMs: number): Databases => server.databases({ catalogue: [template], clock: { now: () => nowMs } });
    const name = databases().nameFor({ keepUntilMs: 5_000_000 });
    await databases().create(name, template);
    expect(await of(4_999_999).list()).toEqual([]);
    expect(await of(5_000_000).list()).toEqual([name]);
  });

  it('sees nothing of another deployment on the same server, and refuses to touch it', async () => {
    const one = await created();
    const other = databases('contract-b');
    await other.prepare([template]);
    const theirs = await created(other);
    expect(await databases().list()).toEqual([one.name]);
    expect(await other.list()).toEqual([theirs.name]);
    await expect(databases().drop(theirs.name)).rejects.toMatchObject({ code: 'database_failed' });
    await expect(databases().create(theirs.name, template)).rejects.toMatchObject({ code: 'database_failed' });
    await expect(databases().drop('mysql')).rejects.toMatchObject({ code: 'database_failed' });
    expect(await rows(theirs, 'SELECT text FROM notes')).toHaveLength(1);
  });

  it('makes several at once', async () => {
    const made = await Promise.all(Array.from({ length: 6 }, () => created()));
    for (const each of made) expect(await rows(each, 'SELECT text FROM notes')).toMatchObject([{ text: 'welcome' }]);
    await Promise.all(made.map(({ name }) => databases().drop(name)));
  });

  it("takes two attempts at the same name one after the other: the last one's password holds", async () => {
    const name = databases().nameFor({ instanceId: newInstanceId(), attempt: newAttempt() });
    const made = await Promise.all([databases().create(name, template), databases().create(name, template)]);
    const open = await Promise.allSettled(made.map((credentials) => rows(credentials, 'SELECT text FROM notes')));
    expect(open.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newAttempt, newInstanceId } from '../../src/domain/ids.ts';
import type { Template } from '../../src/domain/template.ts';
import type { DatabaseCredentials } from '../../src/pool/interfaces/databases.ts';
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
});

import { appendFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newAttempt, newInstanceId } from '../../src/domain/ids.ts';
import type { Template } from '../../src/domain/template.ts';
import type { DatabaseCredentials, Databases } from '../../src/pool/interfaces/databases.ts';
import { eventually } from '../support/eventually.ts';
import { mariadbSuite, startMariadb, type TestMariadb } from '../support/mariadb.ts';

const PLAIN =
  'CREATE TABLE notes (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(100));\nINSERT INTO notes (text) ' +
  "VALUES ('first');\n";

/** What a naive copy of tables and rows would lose or stumble over. */
const DIFFICULT = `
SET NAMES utf8mb4; SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'; SET foreign_key_checks = 0; SET time_zone = '+02:00';
ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_german1_ci;
CREATE TABLE a_child (id INT PRIMARY KEY, parent INT,
  CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES z_parent (id) ON DELETE CASCADE) ENGINE=InnoDB;
CREATE TABLE z_parent (id INT AUTO_INCREMENT PRIMARY KEY, up INT,
  FOREIGN KEY (up) REFERENCES z_parent (id)) ENGINE=InnoDB AUTO_INCREMENT=700;
INSERT INTO z_parent VALUES (0, NULL), (5, 5), (3, 5); INSERT INTO a_child VALUES (1, 5), (2, 0);
CREATE TABLE \`odd \`\`name; --\` (\`select\` INT,
  whole INT AS (\`select\` * 2) STORED, half INT AS (\`select\` / 2) VIRTUAL,
  hidden INT INVISIBLE DEFAULT 4) COMMENT 'semi; colon';
INSERT INTO \`odd \`\`name; --\` (\`select\`, hidden) VALUES (7, 9);
CREATE TABLE kinds (d DATETIME NOT NULL DEFAULT '0000-00-00 00:00:00', t TIMESTAMP NULL, b BLOB,
  s VARCHAR(40) CHARACTER SET utf8mb4, e ENUM('x','y'), bits BIT(5), j JSON, CHECK (s <> '')) ENGINE=InnoDB;
INSERT INTO kinds VALUES ('0000-00-00', '2024-03-31 02:30:00', x'00FF5C27',
  'it''s \\\\ 🦀 -- not a comment', 'y', b'10101', '{"a": 1}');
CREATE TABLE myisam (a INT, FULLTEXT KEY words (w), w TEXT) ENGINE=MyISAM; INSERT INTO myisam VALUES (1, 'some words');
CREATE TABLE aria (a INT) ENGINE=Aria; INSERT INTO aria VALUES (1);
CREATE TABLE parted (a INT) PARTITION BY HASH (a) PARTITIONS 3; INSERT INTO parted VALUES (1), (2), (3);
CREATE TABLE empty_one (a INT);
`;

/** As mariadb-dump writes them. */
const WITH_PROGRAMS = `/*M!999999\\- enable the sandbox mode */
CREATE TABLE notes (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(100), changes INT DEFAULT 0);
INSERT INTO notes (text) VALUES ('first');
DELIMITER ;;
/*!50003 CREATE*/ /*!50003 TRIGGER counted BEFORE UPDATE ON notes FOR EACH ROW
  BEGIN SET NEW.changes = OLD.changes + 1; END */;;
CREATE PROCEDURE twice(IN n INT) BEGIN SELECT n * 2 AS doubled; END ;;
DELIMITER ;
CREATE VIEW texts AS SELECT text FROM notes;
CREATE SEQUENCE numbers START WITH 40;
`;

const { title, skip } = mariadbSuite('seeds of databases on MariaDB');

describe.skipIf(skip)(title, () => {
  let server: TestMariadb;
  beforeAll(async () => {
    server = await startMariadb();
  });
  afterEach(async () => {
    const databases = server.databases();
    for (const name of await databases.list()) await databases.drop(name);
    await databases.dropSeedsBut([]);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const created = async (
    template: Template,
    databases = server.databases({ catalogue: [template] }),
  ): Promise<DatabaseCredentials> =>
    databases.create(databases.nameFor(template, { instanceId: newInstanceId(), attempt: newAttempt() }), template);
  const rows = async (credentials: DatabaseCredentials, sql: string): Promise<unknown> => {
    await using connection = await server.as(credentials);
    return await connection.query(sql);
  };
  const rootSees = async (sql: string): Promise<Record<string, unknown>[]> => {
    await using root = await server.asRoot();
    return await root.query<Record<string, unknown>[]>(sql);
  };
  /** Databases and users of seeds. */
  const seeds = async (): Promise<string[]> =>
    (
      await rootSees(
        'SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA UNION ALL SELECT User FROM mysql.global_priv',
      )
    )
      .map(({ name }) => String(name))
      .filter((name) => name.includes('_s_'));
  const prepared = async (sql: string): Promise<Template> => {
    const template = await server.templateOf(sql);
    await server.databases({ catalogue: [template] }).prepare([template]);
    return template;
  };

  it('copies every kind of table as it is in the seed', async () => {
    const template = await prepared(DIFFICULT);
    const { name } = await created(template);
    const [seed] = await seeds();
    const tables = (
      await rootSees(`SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = '${seed ?? ''}'`)
    ).map((row) => `\`${String(row['name']).replaceAll('`', '``')}\``);
    expect(tables).toHaveLength(8);
    for (const table of tables) {
      const shown = async (database: string): Promise<unknown> => {
        const [definition] = await rootSees(`SHOW CREATE TABLE ${database}.${table}`);
        const [checksum] = await rootSees(`CHECKSUM TABLE ${database}.${table}`);
        return [definition, checksum?.['Checksum']];
      };
      expect(await shown(name), table).toEqual(await shown(seed ?? ''));
    }
    expect(
      await rootSees(
        `SELECT DEFAULT_COLLATION_NAME AS c FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '${name}'`,
      ),
    ).toEqual([{ c: 'latin1_german1_ci' }]);
    expect(await rootSees(`SELECT hidden, whole, half FROM ${name}.\`odd \`\`name; --\``)).toEqual([
      { hidden: 9, whole: 14, half: 4 },
    ]);
    expect(await rootSees(`SELECT CAST(d AS CHAR) AS d, s, HEX(b) AS b FROM ${name}.kinds`)).toEqual([
      { d: '0000-00-00 00:00:00', s: "it's \\ 🦀 -- not a comment", b: '00FF5C27' },
    ]);
  });

  it('keeps foreign keys and the next number of the seed working in the copy', async () => {
    const credentials = await created(await prepared(DIFFICULT));
    await expect(rows(credentials, 'INSERT INTO a_child VALUES (9, 4711)')).rejects.toMatchObject({ errno: 1452 });
    await rows(credentials, 'INSERT INTO z_parent (up) VALUES (NULL)');
    expect(await rows(credentials, 'SELECT MAX(id) AS newest FROM z_parent')).toEqual([{ newest: 700 }]);
    await rows(credentials, 'DELETE FROM z_parent WHERE id = 0');
    expect(await rows(credentials, 'SELECT id FROM a_child')).toEqual([{ id: 1 }]);
  });

  it("runs a seed with triggers, routines, views and sequences again, as the instance's own user", async () => {
    const credentials = await created(await prepared(WITH_PROGRAMS));
    await rows(credentials, "UPDATE notes SET text = 'changed'");
    expect(await rows(credentials, 'SELECT text, changes FROM notes')).toEqual([{ text: 'changed', changes: 1 }]);
    expect(await rows(credentials, 'SELECT * FROM texts')).toEqual([{ text: 'changed' }]);
    expect(await rows(credentials, 'SELECT NEXT VALUE FOR numbers AS n')).toEqual([{ n: 40 }]);
    expect(await rows(credentials, 'CALL twice(4)')).toMatchObject([[{ doubled: 8 }], {}]);
    expect(
      await rootSees(
        `SELECT DISTINCT DEFINER AS d FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = '${credentials.name}'`,
      ),
    ).toEqual([{ d: `${credentials.user}@localhost` }]);
  });

  it.each([
    ['wrong SQL', 'CREATE TABLE fine (a INT);\n\nCREATE TABLE bad (a NOTATYPE);\n', /at line 3.*NOTATYPE/s],
    [
      'one that goes for another database',
      'CREATE TABLE fine (a INT);\nCREATE TABLE mysql.mine (a INT);\n',
      /at line 2.*denied/s,
    ],
    [
      'one that makes its own database',
      'CREATE DATABASE shop;\nUSE shop;\nCREATE TABLE a (a INT);\n',
      /at line 1.*denied/s,
    ],
    [
      'one that wants the definer to be somebody else',
      'CREATE TABLE a (a INT);\nCREATE DEFINER=root@localhost VIEW v AS SELECT * FROM a;\n',
      /at line 2.*SET USER/s,
    ],
    ['one that would run a program', 'CREATE TABLE a (a INT);\n\\! touch /tmp/tin-must-not-be\n', /at line 2/],
    ['one without tables', '-- nothing\n', /makes no table/],
  ])('refuses a seed: %s; and leaves nothing of it', async (_what, sql, message) => {
    const template = await server.templateOf(sql);
    const failure = server.databases({ catalogue: [template] }).prepare([template]);
    await expect(failure).rejects.toMatchObject({
      code: 'database_failed',
      message: expect.stringMatching(message) as unknown,
    });
    await expect(failure).rejects.toThrow(template.database?.seedFile);
    expect(await seeds()).toEqual([]);
  });

  it('refuses a file that changed after the catalogue was read, and says when one is missing', async () => {
    const template = await server.templateOf(PLAIN);
    await appendFile(template.database?.seedFile ?? '', 'DROP TABLE notes;');
    await expect(server.databases({ catalogue: [template] }).prepare([template])).rejects.toThrow('was changed after');
    const missing = {
      ...template,
      database: { engine: 'mariadb' as const, seedFile: '/nowhere/seed.sql', seedDigest: '0123456789abcdef' },
    };
    await expect(server.databases({ catalogue: [missing] }).prepare([missing])).rejects.toThrow(
      '/nowhere/seed.sql cannot be read',
    );
  });

  it('loads a changed seed beside the old one, which goes once no template uses it', async () => {
    const old = await prepared(PLAIN);
    const before = await created(old);
    const changed = await server.templateOf(PLAIN.replace('first', 'second'));
    await server.databases({ catalogue: [old, changed] }).prepare([changed]);
    expect(await seeds()).toHaveLength(2);
    const databases = server.databases({ catalogue: [changed] });
    await databases.dropSeedsBut([changed]);
    expect(await seeds()).toHaveLength(1);
    expect(await rows(await created(changed, databases), 'SELECT text FROM notes')).toEqual([{ text: 'second' }]);
    expect(await rows(before, 'SELECT text FROM notes')).toEqual([{ text: 'first' }]);
  });

  it('does not take a half-loaded seed for a whole one', async () => {
    const template = await prepared(PLAIN);
    const [seed] = await seeds();
    // What a load that was cut off leaves: no mark, some tables, the user.
    await rootSees(`ALTER DATABASE ${seed ?? ''} COMMENT ''`);
    await rootSees(`DROP TABLE ${seed ?? ''}.notes`);
    await rootSees(`CREATE USER ${seed ?? ''}@localhost IDENTIFIED BY 'x'`);
    const credentials = await created(template);
    expect(await rows(credentials, 'SELECT text FROM notes')).toEqual([{ text: 'first' }]);
    expect(await seeds()).toEqual([seed]);
  });

  it('never copies a seed that somebody is loading again, or drops one', async () => {
    const template = await server.templateOf(PLAIN);
    const databases = server.databases({ catalogue: [template] });
    await databases.prepare([template]);
    const [seed] = await seeds();
    // As in the middle of a load of another program: the tables are there, rows and mark are not.
    await rootSees(`ALTER DATABASE ${seed ?? ''} COMMENT ''`);
    await rootSees(`TRUNCATE TABLE ${seed ?? ''}.notes`);
    await expect(created(template, databases)).rejects.toMatchObject({ code: 'database_failed' });
    expect(await rows(await created(template, databases), 'SELECT text FROM notes')).toEqual([{ text: 'first' }]);
    const slow = await server.templateOf(`${PLAIN}DO SLEEP(3600);`);
    const loading = server.databases({ catalogue: [slow] }).prepare([slow]);
    loading.catch(() => undefined);
    const sleeping = "SELECT ID AS id FROM information_schema.PROCESSLIST WHERE INFO = 'DO SLEEP(3600)'";
    await eventually(async () => expect(await rootSees(sleeping)).toHaveLength(1));
    await databases.dropSeedsBut([template]);
    const [load] = await rootSees(sleeping);
    expect(await seeds()).toContainEqual(expect.stringContaining(slow.database?.seedDigest ?? '-'));
    await rootSees(`KILL ${String(load?.['id'])}`);
    await expect(loading).rejects.toMatchObject({ code: 'database_unavailable' });
  });

  it('loads a seed once, however many ask at the same time, also from two programs', async () => {
    const template = await server.templateOf(PLAIN);
    const programs: Databases[] = [
      server.databases({ catalogue: [template] }),
      server.databases({ catalogue: [template] }),
    ];
    await Promise.all([...programs, ...programs].map((each) => each.prepare([template])));
    expect(await seeds()).toHaveLength(1);
    for (const each of programs)
      expect(await rows(await created(template, each), 'SELECT text FROM notes')).toEqual([{ text: 'first' }]);
  });

  it('loads a seed again that somebody dropped, at the next try', async () => {
    const template = await server.templateOf(PLAIN);
    const databases = server.databases({ catalogue: [template] });
    await databases.prepare([template]);
    const [seed] = await seeds();
    await rootSees(`DROP DATABASE ${seed ?? ''}`);
    await expect(created(template, databases)).rejects.toMatchObject({ code: 'database_failed' });
    expect(await rows(await created(template, databases), 'SELECT text FROM notes')).toEqual([{ text: 'first' }]);
  });
});

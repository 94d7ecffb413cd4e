import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newAttempt, newInstanceId } from '../../src/domain/ids.ts';
import { DATABASE_MOUNT, type Template } from '../../src/domain/template.ts';
import type { DatabaseCredentials, Databases } from '../../src/pool/interfaces/databases.ts';

interface Connection extends AsyncDisposable {
  query(sql: string): Promise<unknown>;
}

/** A real server of the engine, as the suites of both see it. */
interface DatabaseServerUnderTest extends AsyncDisposable {
  databases(options?: {
    readonly deployment?: string;
    readonly catalogue?: readonly Template[];
    readonly clock?: { now(): number };
  }): Databases;
  templateOf(sql: string): Promise<Template>;
  asRoot(): Promise<Connection>;
  as(credentials: DatabaseCredentials): Promise<Connection>;
}

export interface DatabaseEngineUnderTest {
  readonly suite: { readonly title: string; readonly skip: boolean };
  readonly start: () => Promise<DatabaseServerUnderTest>;
  readonly socketName: string;
  /** A table `notes` with the row 'welcome' in its column `text`. */
  readonly notes: string;
  readonly administrator: string;
  /** The engine's words for what the suite asks of it. */
  readonly sql: {
    readonly sleep: string;
    /** Makes a table of more than 4 MiB. */
    readonly fill: string;
    readonly databasesAndUsers: string;
    readonly connectionsOf: (user: string) => string;
    readonly dropDatabase: (name: string) => string;
    readonly dropUser: (name: string) => string;
  };
  /** What the client says of a login that is refused. */
  readonly refused: object;
}

/** What the databases of every engine do, on a real server. */
export function databasesContract(engine: DatabaseEngineUnderTest): void {
  const { suite, sql, refused } = engine;
  describe.skipIf(suite.skip)(suite.title, () => {
    let server: DatabaseServerUnderTest;
    let template: Template;
    const deployments = ['contract', 'contract-b'] as const;
    const databases = (deployment: (typeof deployments)[number] = 'contract'): Databases =>
      server.databases({ deployment, catalogue: [template] });

    beforeAll(async () => {
      server = await engine.start();
      template = await server.templateOf(engine.notes);
      await databases().prepare([template]);
    });
    afterEach(async () => {
      for (const deployment of deployments)
        for (const name of await databases(deployment).list()) await databases(deployment).drop(name);
    });
    afterAll(() => server[Symbol.asyncDispose]());

    const newName = (of: Databases = databases()): string =>
      of.nameFor(template, { instanceId: newInstanceId(), attempt: newAttempt() });
    const created = async (of: Databases = databases()): Promise<DatabaseCredentials> =>
      of.create(newName(of), template);
    const rows = async (credentials: DatabaseCredentials, statement: string): Promise<unknown> => {
      await using connection = await server.as(credentials);
      return await connection.query(statement);
    };
    const rootSees = async (statement: string): Promise<unknown> => {
      await using root = await server.asRoot();
      return await root.query(statement);
    };
    const names = async (): Promise<unknown[]> =>
      ((await rootSees(sql.databasesAndUsers)) as { name: unknown }[]).map(({ name }) => name);

    it('makes a database filled from the seed, with a user who may write in it', async () => {
      const credentials = await created();
      expect(credentials).toMatchObject({ socket: `${DATABASE_MOUNT}/${engine.socketName}`, user: credentials.name });
      expect(credentials.password.length).toBeGreaterThanOrEqual(22);
      expect(await rows(credentials, 'SELECT id, text FROM notes')).toMatchObject([{ id: 1, text: 'welcome' }]);
      await rows(credentials, "INSERT INTO notes (text) VALUES ('mine')");
      await rows(credentials, 'CREATE TABLE more (a INT)');
      await rows(credentials, 'ALTER TABLE notes ADD COLUMN more INT');
      expect(await rows(credentials, 'SELECT text FROM notes ORDER BY id')).toMatchObject([
        { text: 'welcome' },
        { text: 'mine' },
      ]);
    });

    it('says how large databases are', async () => {
      const [small, large] = [await created(), await created()];
      const before = await databases().sizes([small.name, large.name]);
      await rows(large, engine.sql.fill);
      expect(before.get(small.name)).toBeGreaterThan(0);
      const after = await databases().sizes([small.name, large.name, newName()]);
      expect([...after.keys()].sort()).toEqual([small.name, large.name].sort());
      expect(after.get(small.name)).toBe(before.get(small.name));
      expect(after.get(large.name)).toBeGreaterThan((before.get(large.name) ?? Infinity) + 2 ** 21);
      expect(databases().socketNameOf(small.name)).toBe(engine.socketName);
    });

    it('keeps what one instance wrote from the other', async () => {
      const [one, other] = [await created(), await created()];
      await rows(one, "INSERT INTO notes (text) VALUES ('secret')");
      expect(await rows(other, 'SELECT text FROM notes')).toMatchObject([{ text: 'welcome' }]);
      expect(one.password).not.toBe(other.password);
    });

    it('lets an instance open a bounded number of connections', async () => {
      const one = await created();
      const open = await Promise.allSettled(Array.from({ length: 25 }, () => server.as(one)));
      const kept = open.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
      for (const connection of kept) await connection[Symbol.asyncDispose]();
      expect(kept).toHaveLength(20);
    });

    it('lets nobody in without the password', async () => {
      const one = await created();
      await expect(server.as({ ...one, password: 'another' })).rejects.toMatchObject(refused);
      await expect(server.as({ ...one, user: engine.administrator, password: 'another' })).rejects.toMatchObject(
        refused,
      );
    });

    it('replaces what has the name, with a new password', async () => {
      const first = await created();
      await rows(first, "INSERT INTO notes (text) VALUES ('old')");
      const second = await databases().create(first.name, template);
      expect(await rows(second, 'SELECT text FROM notes')).toMatchObject([{ text: 'welcome' }]);
      await expect(server.as(first)).rejects.toMatchObject(refused);
    });

    it('drops the database, the user, and the connections he has open, one that waits and one that works', async () => {
      const one = await created();
      const [idle, busy] = [await server.as(one), await server.as(one)];
      await idle.query('START TRANSACTION');
      await idle.query('SELECT * FROM notes');
      const working = busy.query(sql.sleep).then(
        () => 'ended by itself',
        () => 'cut off',
      );
      await databases().drop(one.name);
      expect(await working).toBe('cut off');
      await expect(idle.query('SELECT 1')).rejects.toThrow();
      expect(await rootSees(sql.connectionsOf(one.name))).toEqual([]);
      expect(await names()).not.toContain(one.name);
      await databases().drop(one.name);
    });

    it('lists a database without a user and a user without a database, and drops either', async () => {
      const [one, other] = [await created(), await created()];
      await rootSees(sql.dropDatabase(one.name));
      await rootSees(sql.dropUser(other.name));
      expect([...(await databases().list())].sort()).toEqual([one.name, other.name].sort());
      for (const { name } of [one, other]) await databases().drop(name);
      expect(await databases().list()).toEqual([]);
    });

    it('lists what is only tried from its time on', async () => {
      const of = (nowMs: number): Databases => server.databases({ catalogue: [template], clock: { now: () => nowMs } });
      const name = databases().nameFor(template, { keepUntilMs: 5_000_000 });
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
      await expect(databases().drop(engine.administrator)).rejects.toMatchObject({ code: 'database_failed' });
      expect(await rows(theirs, 'SELECT text FROM notes')).toHaveLength(1);
    });

    it('makes several at once', async () => {
      const made = await Promise.all(Array.from({ length: 6 }, () => created()));
      for (const each of made) expect(await rows(each, 'SELECT text FROM notes')).toMatchObject([{ text: 'welcome' }]);
      await Promise.all(made.map(({ name }) => databases().drop(name)));
      expect(await databases().list()).toEqual([]);
    });

    it("takes two attempts at the same name one after the other: the last one's password holds", async () => {
      const name = newName();
      const made = await Promise.all([databases().create(name, template), databases().create(name, template)]);
      const open = await Promise.allSettled(made.map((credentials) => rows(credentials, 'SELECT text FROM notes')));
      expect(open.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    });
  });
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createConnection } from 'mariadb';
import { describe, expect, it } from 'vitest';
import { connectMariadb } from '../../src/database/mariadb/mariadb-databases.ts';
import { SERVER_PATIENCE, type ServerPatience } from '../../src/database/server.ts';
import { newAttempt, newInstanceId } from '../../src/domain/ids.ts';
import { DATABASE_MOUNT, type Template } from '../../src/domain/template.ts';
import { ChildServer } from '../../src/launcher/child-server.ts';
import type { Databases } from '../../src/pool/interfaces/databases.ts';
import { eventually } from '../support/eventually.ts';
import { mariadbSuite, startMariadb, type TestMariadb } from '../support/mariadb.ts';
import { silent } from '../support/store.ts';
import { suspend } from '../support/suspend.ts';

const NOTES = "CREATE TABLE notes (text VARCHAR(100));\nINSERT INTO notes VALUES ('welcome');\n";
const AWAY = { code: 'database_unavailable', retryable: true } as const;
const { title, skip } = mariadbSuite('a MariaDB in trouble');

interface Prepared extends AsyncDisposable {
  readonly server: TestMariadb;
  readonly template: Template;
  readonly databases: Databases;
  readonly newName: () => string;
  readonly everyCallFails: (name: string) => Promise<void>;
}

/** On a server of the case's own, since it is stopped and killed. */
async function prepared(patience?: ServerPatience): Promise<Prepared> {
  const server = await startMariadb();
  try {
    const template = await server.templateOf(NOTES);
    const databases = server.databases({ catalogue: [template], ...(patience === undefined ? {} : { patience }) });
    await databases.prepare([template]);
    return {
      server,
      template,
      databases,
      newName: () => databases.nameFor(template, { instanceId: newInstanceId(), attempt: newAttempt() }),
      everyCallFails: async (name) => {
        const calls = [
          databases.prepare([template]),
          databases.create(name, template),
          databases.drop(name),
          databases.list(),
        ];
        for (const outcome of await Promise.allSettled(calls))
          expect(outcome).toMatchObject({ status: 'rejected', reason: AWAY });
      },
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

describe.skipIf(skip)(title, { concurrent: true }, () => {
  it('says so while the server is hung, and works again after', async () => {
    await using trouble = await prepared();
    const { server, template, databases, newName, everyCallFails } = trouble;
    const { name } = await databases.create(newName(), template);
    await suspend(server.launched.server);
    await everyCallFails(name);
    server.launched.server.signal('SIGCONT');
    await eventually(async () => expect(await databases.list()).toContain(name));
    await databases.drop(name);
    expect(await databases.list()).toEqual([]);
  });

  it('says so when the server hangs in the middle of a statement', async () => {
    await using trouble = await prepared();
    const { server, template, databases, newName } = trouble;
    const { name } = await databases.create(newName(), template);
    const impatient = server.databases({ catalogue: [template], patience: { ...SERVER_PATIENCE, answerMs: 8_000 } });
    await using root = await server.asRoot();
    // Somebody else's lock holds the drop up, until the server hangs.
    await root.query(`LOCK TABLES ${name}.notes WRITE`);
    const dropping = impatient.drop(name).then(
      () => undefined,
      (error: unknown) => error,
    );
    await eventually(async () =>
      expect(
        await root.query<unknown[]>("SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE 'DROP DATABASE%'"),
      ).toHaveLength(1),
    );
    await suspend(server.launched.server);
    expect(await dropping).toMatchObject(AWAY);
    server.launched.server.signal('SIGCONT');
    await root.query('UNLOCK TABLES');
    await databases.drop(name);
    expect(await databases.list()).toEqual([]);
  });

  it("says what is in the way when somebody else's lock keeps a database from going, and drops it later", async () => {
    await using trouble = await prepared({ ...SERVER_PATIENCE, lockWaitS: 1 });
    const { server, template, databases, newName } = trouble;
    const { name } = await databases.create(newName(), template);
    await using root = await server.asRoot();
    await root.query(`LOCK TABLES ${name}.notes WRITE`);
    await expect(databases.drop(name)).rejects.toMatchObject({
      code: 'database_failed',
      message: expect.stringContaining('Lock wait timeout') as unknown,
    });
    await root.query('UNLOCK TABLES');
    await databases.drop(name);
  });

  it('says so while the server is killed, and finds databases and seeds again on the next one', async () => {
    await using trouble = await prepared();
    const { server, template, databases, newName, everyCallFails } = trouble;
    const { name, ...rest } = await databases.create(newName(), template);
    server.launched.server.signal('SIGKILL');
    await server.launched.server.exited;
    await everyCallFails(name);
    await server.restart();
    expect(await databases.list()).toEqual([name]);
    await using connection = await server.as({ name, ...rest });
    expect(await connection.query('SELECT text FROM notes')).toEqual([{ text: 'welcome' }]);
    await databases.create(newName(), template);
  });

  it('finishes what a killed server left half done', async () => {
    await using trouble = await prepared();
    const { server, template, databases, newName } = trouble;
    const name = newName();
    const creating = databases.create(name, template).then(
      () => undefined,
      () => undefined,
    );
    await eventually(async () => expect(await databases.list()).toEqual([name]), { everyMs: 1 });
    server.launched.server.signal('SIGKILL');
    await creating;
    await server.restart();
    await databases.create(name, template);
    await databases.drop(name);
    expect(await databases.list()).toEqual([]);
  });

  it('tells a wrong password from an absent server, and never shows the password', async () => {
    await using trouble = await prepared();
    const { server } = trouble;
    const { socketPath, user } = server.launched;
    const wrong = connectMariadb({
      socketPath,
      user,
      password: 'not-the-one',
      deployment: 'contract',
      mountedAt: DATABASE_MOUNT,
      catalogue: { all: () => [] },
      log: silent,
    });
    await expect(wrong.list()).rejects.toMatchObject({
      code: 'database_failed',
      message: expect.stringContaining('check DATABASE_USER and DATABASE_PASSWORD') as unknown,
    });
    await expect(wrong.list()).rejects.not.toThrow('not-the-one');
    const nowhere = connectMariadb({
      socketPath: '/nowhere/mariadb.sock',
      user,
      password: 'x',
      deployment: 'contract',
      mountedAt: DATABASE_MOUNT,
      catalogue: { all: () => [] },
      log: silent,
    });
    await expect(nowhere.prepare([])).rejects.toMatchObject(AWAY);
  });

  it.each([
    ['an account without a password', 'CREATE USER careless@localhost', /'careless'@'localhost' has no password/],
    ['an anonymous account', "CREATE USER ''@localhost IDENTIFIED BY 'x'", /lets anybody in/],
    ['a database for everybody', 'GRANT SELECT ON test.* TO PUBLIC', /every account may use the database test/],
  ])('refuses a server with %s', async (_what, sql, message) => {
    await using trouble = await prepared();
    const { server, template, databases } = trouble;
    await using root = await server.asRoot();
    await root.query(sql);
    await expect(databases.prepare([template])).rejects.toMatchObject({
      code: 'database_unsafe',
      retryable: false,
      message: expect.stringMatching(message) as unknown,
    });
  });

  it('does not mind locked accounts, roles, and accounts of the socket login while that is off', async () => {
    await using trouble = await prepared();
    const { server, template, databases } = trouble;
    await using root = await server.asRoot();
    await root.query('CREATE USER locked@localhost ACCOUNT LOCK');
    await root.query('CREATE ROLE readers');
    await root.query(
      `INSERT INTO mysql.global_priv VALUES ('localhost', 'peer', ` +
        `'{"access":0,"plugin":"mysql_native_password","authentication_string":"invalid",` +
        `"auth_or":[{},{"plugin":"unix_socket"}]}')`,
    );
    await databases.prepare([template]);
  });

  it(
    "refuses a server with the socket login on, as Debian installs it: a container's root would be its " +
      'administrator',
    async () => {
      await using trouble = await prepared();
      const { server, template } = trouble;
      await server.launched[Symbol.asyncDispose]();
      await using unsafe = await startWithSocketLogin(server);
      const { socketPath, user } = server.launched;
      if (process.getuid?.() === 0) await (await createConnection({ socketPath, user: 'root' })).end();
      const own = {
        socketPath,
        user,
        password: unsafe.password,
        deployment: 'contract',
        mountedAt: DATABASE_MOUNT,
        catalogue: { all: () => [template] },
        log: silent,
      };
      const problems =
        /'root'@'localhost' is let in without a password by its uid.*unix_socket=OFF.*skip-symbolic-links/;
      await expect(connectMariadb(own).prepare([template])).rejects.toMatchObject({
        code: 'database_unsafe',
        message: expect.stringMatching(problems) as unknown,
      });
      // Of one that hosts share it is asked, too, that no host can be locked out.
      const shared = connectMariadb({ ...own, shared: { host: '127.0.0.1', port: 3306 } });
      await expect(shared.prepare([template])).rejects.toMatchObject({
        code: 'database_unsafe',
        message: expect.stringMatching(/max_connect_errors.*skip-name-resolve/) as unknown,
      });
    },
  );

  it('keeps nothing but the socket in the folder that instances see, and the password to its owner', async () => {
    await using trouble = await prepared();
    const { server } = trouble;
    const {
      socketPath,
      passwordFile,
      server: { pid },
    } = server.launched;
    expect(await readdir(dirname(socketPath))).toEqual(['mariadb.sock']);
    expect((await stat(passwordFile)).mode & 0o777).toBe(0o600);
    if (process.getuid?.() === 0) expect((await stat(`/proc/${pid ?? 0}`)).uid).not.toBe(0);
  });
});

describe.skipIf(skip)(mariadbSuite('a launched MariaDB').title, () => {
  it('ends with the program that launched it, even when that is killed', async () => {
    await using server = await startMariadb();
    await server.launched[Symbol.asyncDispose]();
    const launcherFile = fileURLToPath(new URL('../../src/launcher/mariadb.ts', import.meta.url));
    const code = `import { launchMariadb } from ${JSON.stringify(launcherFile)};
      const launched = await launchMariadb({ dir: ${JSON.stringify(server.dir)} });
      console.log('pid', launched.server.pid);
      setInterval(() => {}, 1000);`;
    const launcher = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const [said] = (await once(launcher.stdout, 'data')) as [Buffer];
      const pid = Number(/pid (\d+)/.exec(said.toString())?.[1]);
      process.kill(pid, 0);
      launcher.kill('SIGKILL');
      await eventually(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'));
    } finally {
      launcher.kill('SIGKILL');
    }
  });
});

/** On the same data: the login plugin as it is by default, and root as Debian's package sets it up. */
async function startWithSocketLogin(server: TestMariadb): Promise<AsyncDisposable & { readonly password: string }> {
  const { dir, launched } = server;
  const account = process.getuid?.() === 0 ? ['--user=mysql'] : [];
  const initFile = join(dir, 'socket-login.sql');
  await writeFile(
    initFile,
    "ALTER USER 'root'@'localhost' IDENTIFIED VIA mysql_native_password USING " +
      `PASSWORD('${launched.password}') OR unix_socket;\n`,
    { mode: 0o644 },
  );
  const child = await ChildServer.start({
    name: 'MariaDB',
    command: 'mariadbd',
    saysUp: 'ready for connections',
    args: [
      '--no-defaults',
      ...account,
      `--datadir=${join(dir, 'data')}`,
      `--socket=${launched.socketPath}`,
      `--pid-file=${join(dir, 'own', 'unsafe.pid')}`,
      `--tmpdir=${join(dir, 'own')}`,
      '--skip-networking',
      '--innodb-use-native-aio=0',
      `--init-file=${initFile}`,
    ],
  });
  return { password: launched.password, [Symbol.asyncDispose]: () => child.stop() };
}

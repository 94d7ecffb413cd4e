import { spawn } from 'node:child_process';
import { appendFile, readFile, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SERVER_PATIENCE } from '../../src/database/server.ts';
import { newAttempt, newInstanceId } from '../../src/domain/ids.ts';
import type { Template } from '../../src/domain/template.ts';
import type { Databases } from '../../src/pool/interfaces/databases.ts';
import { eventually } from '../support/eventually.ts';
import { postgresSuite, startPostgres, type TestPostgres } from '../support/postgresql.ts';
import { suspend } from '../support/suspend.ts';

const NOTES = "CREATE TABLE notes (text TEXT);\nINSERT INTO notes VALUES ('welcome');\n";
const AWAY = { code: 'database_unavailable', retryable: true } as const;
const { title, skip } = postgresSuite('a PostgreSQL in trouble');

describe.skipIf(skip)(title, () => {
  let server: TestPostgres;
  let template: Template;
  let databases: Databases;
  beforeAll(async () => {
    server = await startPostgres();
    template = await server.templateOf(NOTES);
    databases = server.databases({ catalogue: [template] });
    await databases.prepare([template]);
  });
  afterAll(() => server[Symbol.asyncDispose]());

  const newName = (): string => databases.nameFor(template, { instanceId: newInstanceId(), attempt: newAttempt() });
  const everyCallFails = async (name: string): Promise<void> => {
    const calls = [
      databases.prepare([template]),
      databases.create(name, template),
      databases.drop(name),
      databases.list(),
    ];
    for (const outcome of await Promise.allSettled(calls))
      expect(outcome).toMatchObject({ status: 'rejected', reason: AWAY });
  };
  const asRoot = async (sql: string): Promise<unknown> => {
    await using root = await server.asRoot();
    return await root.query(sql);
  };

  it('says so while the server is hung, and works again after', async () => {
    const { name } = await databases.create(newName(), template);
    // Its child processes are forked by the one that accepts connections, so none is made while that is stopped.
    await suspend(server.launched.server);
    await everyCallFails(name);
    server.launched.server.signal('SIGCONT');
    await eventually(async () => expect(await databases.list()).toContain(name));
    await databases.drop(name);
    expect(await databases.list()).toEqual([]);
  });

  it("says what is in the way when somebody else's lock keeps a database from going, and drops it later", async () => {
    const impatient = server.databases({
      catalogue: [template],
      patience: { ...SERVER_PATIENCE, lockWaitS: 1 },
    });
    const { name } = await databases.create(newName(), template);
    {
      await using root = await server.asRoot();
      await root.query(`SELECT pg_advisory_lock(hashtextextended('${name}', 0))`);
      await expect(impatient.drop(name)).rejects.toMatchObject({
        code: 'database_failed',
        message: expect.stringContaining('lock timeout') as unknown,
      });
    }
    await impatient.drop(name);
  });

  it('says so while the server is killed, and finds databases and seeds again on the next one', async () => {
    const { name, ...rest } = await databases.create(newName(), template);
    server.launched.server.signal('SIGKILL');
    await server.launched.server.exited;
    await everyCallFails(name);
    await eventually(() => server.restart());
    expect(await databases.list()).toEqual([name]);
    await using connection = await server.as({ name, ...rest });
    expect(await connection.query('SELECT text FROM notes')).toEqual([{ text: 'welcome' }]);
    await databases.create(newName(), template);
  });

  it('tells a wrong password from an absent server, and never shows the password', async () => {
    const wrong = server.databases({ password: 'not-the-one' });
    await expect(wrong.list()).rejects.toMatchObject({
      code: 'database_failed',
      message: expect.stringContaining('check POSTGRES_USER and POSTGRES_PASSWORD') as unknown,
    });
    await expect(wrong.list()).rejects.not.toThrow('not-the-one');
  });

  it('refuses a server whose databases let every role in', async () => {
    await asRoot('CREATE DATABASE meeting');
    const refusal = databases.prepare([template]);
    await expect(refusal).rejects.toMatchObject({ code: 'database_unsafe', retryable: false });
    await expect(refusal).rejects.toThrow(/meeting.*REVOKE CONNECT ON DATABASE "meeting" FROM PUBLIC/);
    await asRoot('REVOKE CONNECT ON DATABASE "meeting" FROM PUBLIC');
    await databases.prepare([template]);
  });

  it('refuses a server that asks for the uid instead of a password: containers have them too', async () => {
    const rules = join(server.dir, 'pg_hba.conf');
    const before = await readFile(rules, 'utf8');
    await writeFile(rules, `local all guest peer\n${before}`);
    // PostgreSQL tells the file's time in whole seconds, and may have read the file within this one.
    const later = new Date(Date.now() + 60_000);
    await utimes(rules, later, later);
    for (const call of [() => databases.prepare([template]), () => databases.create(newName(), template)])
      await expect(call()).rejects.toMatchObject({
        code: 'database_unsafe',
        message: expect.stringMatching(
          /line 1 of .*pg_hba\.conf lets users of the socket in by peer.*scram-sha-256.*changed/s,
        ) as unknown,
      });
    await writeFile(rules, before);
    server.launched.server.signal('SIGHUP');
    await eventually(() => databases.prepare([template]));
  });

  it('keeps nothing but the socket in the folder that instances see, and the password to its owner', async () => {
    const { socketPath, passwordFile, server: launched } = server.launched;
    expect((await readdir(dirname(socketPath))).sort()).toEqual(['.s.PGSQL.5432', '.s.PGSQL.5432.lock']);
    expect((await stat(passwordFile)).mode & 0o777).toBe(0o600);
    expect((await stat(join(dirname(socketPath), '.s.PGSQL.5432.lock'))).mode & 0o077).toBe(0);
    if (process.getuid?.() === 0) expect((await stat(`/proc/${launched.pid ?? 0}`)).uid).not.toBe(0);
  });

  it('begins anew after a crash of the host, since nothing was forced to the disk', async () => {
    await server.launched.server.stop();
    await appendFile(join(server.dir, 'running-since'), 'another boot');
    await server.restart();
    expect(await databases.list()).toEqual([]);
    await server.databases({ catalogue: [template] }).prepare([template]);
  });

  it('ends with the program that launched it, even when that is killed', async () => {
    await server.launched[Symbol.asyncDispose]();
    const launcherFile = fileURLToPath(new URL('../../src/launcher/postgresql.ts', import.meta.url));
    const code = `import { launchPostgres } from ${JSON.stringify(launcherFile)};
      const launched = await launchPostgres({ dir: ${JSON.stringify(server.dir)} });
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

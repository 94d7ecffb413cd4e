import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DISCOVERY_CREDENTIALS, DISCOVERY_VARIABLES } from '../../src/config/discovery-config.ts';
import { loadConfig } from '../../src/config/load.ts';
import { RELAY_VARIABLES } from '../../src/config/relay-config.ts';
import { VARIABLES, VARIABLE_NAMES } from '../../src/config/variables.ts';
import { findProgram } from '../../src/launcher/child-server.ts';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { temporaryFolder } from '../support/proxy.ts';
import { silent } from '../support/store.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PREFIX = '/opt/try-it-now';
const run = promisify(execFile);
let releasers: Releasers;
let dest: string;

beforeEach(async () => {
  releasers = new Releasers();
  dest = await temporaryFolder(releasers);
});
afterEach(() => releasers.releaseAll(silent));

/** As make runs it; make itself would look whether to build, while other tests run what is built. */
async function script(
  name: 'install' | 'uninstall',
  env: Record<string, string> = {},
  from = join(ROOT, 'scripts'),
): Promise<string> {
  return (await run(join(from, `${name}.sh`), [], { env: { PATH: process.env['PATH'], DESTDIR: dest, ...env } }))
    .stdout;
}

const installed = (path: string): string => join(dest, path);
const mode = async (path: string): Promise<number> => (await stat(installed(path))).mode & 0o777;
const text = (path: string): Promise<string> => readFile(installed(path), 'utf8');

async function everything(): Promise<string[]> {
  return (await readdir(dest, { recursive: true })).sort();
}

describe('make install', () => {
  it('installs a program that runs, with keys, settings and services', async () => {
    expect(await script('install')).toContain('Nothing was started');

    const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    const { stdout } = await run(process.execPath, [installed(`${PREFIX}/dist/main.js`), '--version']);
    expect(stdout.trim().split('+')).toEqual([version, expect.stringMatching(/^[0-9a-f]{8}$/)]);
    // All it needs when it runs comes in its own files: it gets as far as its configuration, far from any package.
    expect(await readdir(installed(PREFIX))).not.toContain('node_modules');
    expect(await text(`${PREFIX}/dist/third-party-licenses.txt`)).toContain('fastify');
    await expect(
      run(process.execPath, [installed(`${PREFIX}/dist/main.js`), 'serve'], { env: { SERVER_PORT: 'none' } }),
    ).rejects.toMatchObject({ code: 78 });

    expect(await mode('/etc/try-it-now/try-it-now.env')).toBe(0o600);
    expect(await mode('/etc/try-it-now/secrets')).toBe(0o700);
    const keys = await Promise.all(['api-key', 'operator-key'].map((name) => text(`/etc/try-it-now/secrets/${name}`)));
    expect(new Set(keys).size).toBe(2);
    for (const key of keys) expect(key).toMatch(/^[0-9a-f]{48}$/);
    for (const name of ['api-key', 'operator-key']) expect(await mode(`/etc/try-it-now/secrets/${name}`)).toBe(0o600);
    expect(await readdir(installed('/usr/local/lib/systemd/system'))).toEqual(
      expect.arrayContaining(['try-it-now.service', 'try-it-now-discovery.socket']),
    );
  });

  it('writes the paths of this host into what it installs', async () => {
    await script('install', { PREFIX: '/srv/elsewhere/tin' });
    for (const file of [
      '/usr/local/bin/try-it-now',
      '/usr/local/lib/systemd/system/try-it-now.service',
      '/srv/elsewhere/tin/deploy/caddy/caddy.service.conf',
    ]) {
      const content = await text(file);
      expect(content).toContain('/srv/elsewhere/tin/d');
      expect(content).not.toContain(PREFIX);
    }
    await script('uninstall', { PREFIX: '/srv/elsewhere/tin', PURGE: '1' });
    expect(await everything()).toEqual([]);
  });

  it('upgrades in place, leaving keys and settings as they are', async () => {
    await script('install');
    await writeFile(installed('/etc/try-it-now/try-it-now.env'), 'BASE_DOMAIN=demo.example.org\n');
    const key = await text('/etc/try-it-now/secrets/api-key');
    await writeFile(installed(`${PREFIX}/dist/of-an-older-version.js`), '');
    await writeFile(installed('/usr/local/lib/systemd/system/try-it-now.service'), '[Unit]\n');

    await script('install');

    expect(await text('/etc/try-it-now/try-it-now.env')).toBe('BASE_DOMAIN=demo.example.org\n');
    expect(await text('/etc/try-it-now/secrets/api-key')).toBe(key);
    expect(await readdir(installed(`${PREFIX}/dist`))).not.toContain('of-an-older-version.js');
    expect(await text('/usr/local/lib/systemd/system/try-it-now.service')).toContain('ExecStart=');
    expect((await readdir(installed('/opt'))).sort()).toEqual(['try-it-now']);
  });

  it('installs a worker without what is not its own, which an upgrade keeps so', async () => {
    for (const role of ['worker', '']) {
      await script('install', { ROLE: role });
      expect((await readdir(installed('/usr/local/lib/systemd/system'))).sort()).toEqual([
        'try-it-now-database-relay.service',
        'try-it-now-podman.service',
        'try-it-now-worker.service',
      ]);
      // Settings are for `fleet join` to write.
      expect(await readdir(installed('/etc/try-it-now'))).toEqual(['secrets']);
      expect(await readdir(installed('/etc/try-it-now/secrets'))).toEqual([]);
    }
    const before = await everything();
    for (const [env, why] of [
      [{ ROLE: 'all' }, 'is installed as ROLE=worker'],
      [{ ROLE: 'driver' }, "ROLE is 'driver'"],
      [{ ROLE: 'worker', JOIN: '-' }, 'leave DESTDIR out'],
    ] as const)
      await expect(script('install', env)).rejects.toMatchObject({ stderr: expect.stringContaining(why) as string });
    expect(await everything()).toEqual(before);
    await script('uninstall', { PURGE: '1' });
    expect(await everything()).toEqual([]);
  });

  it('installs a server without instances, and hosts of Valkey and NATS alone', async () => {
    const units = async () => (await readdir(installed('/usr/local/lib/systemd/system'), { recursive: true })).sort();
    for (const role of ['server', '']) {
      await script('install', { ROLE: role });
      expect(await units()).toEqual([
        'try-it-now-discovery.service',
        'try-it-now-discovery.socket',
        'try-it-now.service',
        'try-it-now.service.d',
        'try-it-now.service.d/without-engine.conf',
      ]);
      expect((await readdir(installed('/etc/try-it-now'))).sort()).toEqual(['secrets', 'try-it-now.env']);
      expect(await text('/etc/try-it-now/try-it-now.env')).toMatch(/^CONTAINER_MODE=none$/m);
    }
    if (analyzer !== undefined) {
      const { stdout } = await run(analyzer, [
        ...['security', '--offline=true', '--no-pager', '--root', dest],
        'try-it-now.service',
      ]);
      expect(Number(/level for \S+: ([\d.]+)/.exec(stdout)?.[1])).toBeLessThan(2.5);
    }
    await script('uninstall', { PURGE: '1' });
    expect(await everything()).toEqual([]);

    await script('install', { ROLE: 'state' });
    expect(await units()).toEqual(['try-it-now-nats.service', 'try-it-now-valkey.service']);
    expect((await readdir(installed('/etc/try-it-now'))).sort()).toEqual(['nats.conf', 'secrets', 'valkey.conf']);
    await script('uninstall', { PURGE: '1' });
    expect(await everything()).toEqual([]);
  });

  it('leaves the installation as it was when it is interrupted', async () => {
    await script('install');
    const before = await everything();
    // As if the disk were full: what copies is not there.
    const path = await temporaryFolder(releasers);
    await writeFile(join(path, 'cp'), '#!/bin/sh\nexit 1\n');
    await chmod(join(path, 'cp'), 0o755);
    await expect(script('install', { PATH: `${path}:${process.env['PATH'] ?? ''}` })).rejects.toThrow();
    expect(await everything()).toEqual(before);
  });

  it('refuses places that it would ruin', async () => {
    for (const prefix of ['/usr', '/', 'relative/path', '/opt/../etc', '/opt/a b']) {
      await expect(script('install', { PREFIX: prefix }), prefix).rejects.toMatchObject({
        stderr: expect.stringContaining('PREFIX') as string,
      });
    }
    await mkdir(installed(PREFIX), { recursive: true });
    await writeFile(installed(`${PREFIX}/letters`), 'dear');
    await expect(script('install')).rejects.toMatchObject({
      stderr: expect.stringContaining('is not an installation of Try It Now') as string,
    });
    await expect(script('uninstall')).rejects.toMatchObject({
      stderr: expect.stringContaining('nothing was removed') as string,
    });
    expect(await text(`${PREFIX}/letters`)).toBe('dear');
  });
});

describe('make uninstall', () => {
  it('removes what was installed, keeps settings and data, and leaves nothing with PURGE=1', async () => {
    await script('install');
    await mkdir(installed('/var/lib/try-it-now/checkpoints'), { recursive: true });
    await writeFile(installed('/var/lib/try-it-now/checkpoints/kept'), '');
    // From the installation itself, for anyone who no longer has the sources.
    await script('uninstall', {}, installed(`${PREFIX}/scripts`));
    expect((await everything()).filter((path) => !path.startsWith('etc') && !path.startsWith('var'))).toEqual([]);
    expect(await text('/etc/try-it-now/secrets/api-key')).not.toBe('');
    expect(await readdir(installed('/var/lib/try-it-now/checkpoints'))).toEqual(['kept']);

    await script('uninstall', { PURGE: '1' });
    expect(await everything()).toEqual([]);
    await script('uninstall', { PURGE: '1' });
  });

  it.each([
    ['no engine', '', /make uninstall PURGE=1 removes them too\.\n$/],
    ['Docker alone', 'echo 0123; echo 4567', /\n2 containers named demo-… are still there: docker ps -a [^\n]*\n$/],
    ['a Docker that does not answer', 'exit 1', /make uninstall PURGE=1 removes them too\.\n$/],
  ])('ends well on a host with %s', async (_, docker, said) => {
    const tools = installed('/tools');
    await mkdir(tools);
    for (const tool of ['bash', 'dirname', 'find', 'grep', 'id', 'rm', 'rmdir', 'wc'])
      await symlink(findProgram(tool) ?? tool, join(tools, tool));
    if (docker !== '') await writeFile(join(tools, 'docker'), `#!/bin/sh\n${docker}\n`, { mode: 0o755 });
    // A host of its own: nothing of this machine is there to be removed.
    const host = 'for folder in /opt /etc /usr/local /var/lib /run; do mount -t tmpfs none "$folder"; done; exec "$@"';
    const uninstall = ['env', `PATH=${tools}`, 'bash', join(ROOT, 'scripts/uninstall.sh')];
    const { stdout } = await run('unshare', ['--mount', 'sh', '-ec', host, 'sh', ...uninstall]);
    expect(stdout).toMatch(said);
  });

  it('leaves a command of the same name that is not ours', async () => {
    await script('install');
    await writeFile(installed('/usr/local/bin/try-it-now'), '#!/bin/sh\necho mine\n');
    await script('uninstall');
    expect(await text('/usr/local/bin/try-it-now')).toContain('mine');
  });
});

describe('the services', () => {
  const service = (name: string): Promise<string> =>
    readFile(join(ROOT, 'deploy/systemd', `try-it-now${name}.service`), 'utf8');

  it.each([
    ['discovery', DISCOVERY_VARIABLES],
    ['database-relay', RELAY_VARIABLES],
  ] as const)('give %s no secret of others', async (name, own: readonly string[]) => {
    const unset = [...(await service(`-${name}`)).matchAll(/^UnsetEnvironment=(.*)$/gm)];
    const others = VARIABLE_NAMES.filter((each) => VARIABLES[each].secret && !own.includes(each));
    expect(unset.flatMap(([, names = '']) => names.split(' ')).sort()).toEqual(others.sort());
  });

  it('have a way for each secret of discovery, which it may not read itself', async () => {
    const dropIns = (await readdir(join(ROOT, 'deploy/systemd'))).filter((name) => name.startsWith('discovery-'));
    const handed = await Promise.all(
      dropIns.map(async (name) => {
        const lines = (await readFile(join(ROOT, 'deploy/systemd', name), 'utf8')).split('\n');
        return lines.flatMap((line) => /^LoadCredential=([\w-]+):\/etc\/try-it-now\/secrets\//.exec(line)?.[1] ?? []);
      }),
    );
    expect(handed.flat().sort()).toEqual(Object.keys(DISCOVERY_CREDENTIALS).sort());
    const secrets = DISCOVERY_VARIABLES.flatMap((name) =>
      VARIABLES[name].secret ? [`${name}_FILE`] : /_KEY_FILE$/.test(name) ? [name] : [],
    );
    expect(Object.values(DISCOVERY_CREDENTIALS).sort()).toEqual(secrets.sort());
    const documents = await readFile(join(ROOT, 'docs/deployment.md'), 'utf8');
    for (const name of dropIns) expect(documents).toContain(`deploy/systemd/${name}`);
  });

  it('do not start again and again with a wrong configuration', async () => {
    for (const name of ['', '-worker']) expect(await service(name)).toMatch(/^RestartPreventExitStatus=78$/m);
    // What visitors in their instances need goes on trying, and its socket would start discovery anyway.
    for (const name of ['-discovery', '-database-relay']) {
      const [, after = ''] = /^ExecStopPost=\/bin\/sh -c '(.*)'$/m.exec(await service(name)) ?? [];
      const command = after.replaceAll('$$', '$').replace('sleep', 'echo waits');
      const runs = (status: string) =>
        run('/bin/sh', ['-c', command], { env: { ...process.env, EXIT_STATUS: status } });
      expect((await runs('78')).stdout).toBe('waits 5\n');
      expect((await runs('1')).stdout).toBe('');
    }
  });
});

const analyzer = findProgram('systemd-analyze');
const inCi = process.env['CI'] !== undefined;
if (analyzer === undefined && !inCi)
  process.stderr.write(
    'Skipped: systemd-analyze is not installed (scripts/setup.sh --with-tests), so nothing judges the units\n',
  );

describe.skipIf(analyzer === undefined && !inCi)('the systemd units', () => {
  it('are what systemd accepts, as they are installed', async () => {
    await script('install');
    const dir = installed('/usr/local/lib/systemd/system');
    const units = await readdir(dir);
    // Drop-ins for other units are checked with the unit they are for.
    await mkdir(join(dir, 'caddy.service.d'));
    await copyFile(
      installed(`${PREFIX}/deploy/caddy/caddy.service.conf`),
      join(dir, 'caddy.service.d/try-it-now.conf'),
    );
    await writeFile(join(dir, 'caddy.service'), '[Service]\nType=notify\nExecStart=/usr/bin/caddy run\n');
    await mkdir(join(dir, 'try-it-now-discovery.service.d'));
    for (const name of (await readdir(join(ROOT, 'deploy/systemd'))).filter((each) => each.startsWith('discovery-')))
      await copyFile(
        installed(`${PREFIX}/deploy/systemd/${name}`),
        join(dir, 'try-it-now-discovery.service.d', name.replace('discovery-', '')),
      );
    for (const part of ['valkey', 'nats']) {
      await mkdir(join(dir, `try-it-now-${part}.service.d`));
      await copyFile(
        installed(`${PREFIX}/deploy/systemd/fleet-${part}.conf`),
        join(dir, `try-it-now-${part}.service.d/try-it-now-fleet.conf`),
      );
    }
    for (const unit of ['try-it-now', 'try-it-now-worker']) {
      await mkdir(join(dir, `${unit}.service.d`), { recursive: true });
      await copyFile(
        installed(`${PREFIX}/deploy/systemd/podman-of-the-server.conf`),
        join(dir, `${unit}.service.d/podman-of-the-server.conf`),
      );
    }
    for (const server of ['mariadb.service', 'postgresql@.service']) {
      await mkdir(join(dir, `${server}.d`));
      await copyFile(
        installed(`${PREFIX}/deploy/systemd/database-server.conf`),
        join(dir, `${server}.d/try-it-now.conf`),
      );
      await writeFile(join(dir, server), '[Service]\nExecStart=/bin/true\n');
    }
    const all = [...units, 'caddy.service', 'mariadb.service', 'postgresql@.service'].map((unit) => join(dir, unit));
    const { stdout, stderr } = await run(analyzer ?? 'systemd-analyze', ['verify', '--man=no', ...all], {
      env: { PATH: process.env['PATH'], SYSTEMD_LOG_LEVEL: 'warning' },
    });
    expect(`${stdout}${stderr}`).toBe('');
  });

  it('let who runs instances write to their control groups', async () => {
    for (const unit of ['try-it-now.service', 'try-it-now-worker.service']) {
      const lines = (await readFile(join(ROOT, 'deploy/systemd', unit), 'utf8')).split('\n');
      expect(
        lines.filter((line) => line.startsWith('ProtectControlGroups=')),
        unit,
      ).toEqual(['ProtectControlGroups=no']);
    }
  });

  it('leave discovery, Valkey and NATS next to no rights, and the server few', async () => {
    const worst = async (unit: string): Promise<number> => {
      const { stdout } = await run(analyzer ?? 'systemd-analyze', [
        'security',
        '--offline=true',
        '--no-pager',
        join(ROOT, 'deploy/systemd', unit),
      ]);
      return Number(/level for \S+: ([\d.]+)/.exec(stdout)?.[1] ?? 'NaN');
    };
    for (const part of ['discovery', 'database-relay', 'valkey', 'nats'])
      expect(await worst(`try-it-now-${part}.service`), part).toBeLessThanOrEqual(1.5);
    for (const unit of ['try-it-now.service', 'try-it-now-worker.service'])
      expect(await worst(unit), unit).toBeLessThanOrEqual(4);
  });
});

describe('the configuration of the parts', () => {
  it('offers the example as it is shipped, of an image and a Caddy that the documents have made', async () => {
    const settings = Object.fromEntries(
      (await readFile(join(ROOT, 'deploy/try-it-now.env'), 'utf8'))
        .split('\n')
        .filter((line) => /^[A-Z]/.test(line))
        .map((line) => [line.replace(/=.*/, ''), line.replace(/^[^=]*=/, '')] as const),
    );
    const { config } = loadConfig(settings, (file) => Buffer.from(file).toString('hex'));
    const [, example = ''] = /^localhost\/try-it-now\/(\w+):latest$/.exec(config.templates[0]?.image ?? '') ?? [];
    const page = await readFile(join(ROOT, 'docs/deployment.md'), 'utf8');
    const start = page.indexOf('systemctl enable');
    for (const needed of [`scripts/build-image.sh ${example}\``, 'deploy/caddy/Caddyfile.local'])
      expect([needed, page.indexOf(needed) > 0, page.indexOf(needed) < start]).toEqual([needed, true, true]);

    const caddyfiles = (await readdir(join(ROOT, 'deploy/caddy'))).filter((name) => name.startsWith('Caddyfile.'));
    expect(caddyfiles).toContain('Caddyfile.local');
    for (const name of caddyfiles) {
      const { stdout } = await run('caddy', [
        ...['adapt', '--config', join(ROOT, 'deploy/caddy', name), '--adapter', 'caddyfile'],
      ]);
      const { admin } = JSON.parse(stdout) as { admin: { listen: string } };
      expect([name, admin.listen.replace('unix/', 'unix://')]).toEqual([name, config.proxy.adminUrl]);
    }
  });

  it('gives the hosts of a fleet the rights that the documents name', async () => {
    const read = (path: string): Promise<string> => readFile(join(ROOT, path), 'utf8');
    const subjects = (text: string): string[] => /publish: \[([^\]]*)\]/.exec(text)?.[1]?.match(/"[^"]+"/g) ?? [];
    const documented = subjects(await read('docs/fleet.md'));
    expect(documented.length).toBeGreaterThan(10);
    expect(subjects(await read('deploy/fleet/nats.conf'))).toEqual(documented);

    const rights = (text: string): string[] => text.match(/(?<=^user try-it-now\S* on \S+ ).*$/gm) ?? [];
    const [minimal = ''] = rights(await read('docs/deployment.md'));
    expect(minimal).toContain('+evalsha');
    expect(rights(await read('deploy/fleet/valkey.conf'))).toEqual(Array(2).fill(`${minimal} +config|get +acl|dryrun`));
  });

  it('is what NATS and Valkey accept', async () => {
    const nats = (await readFile(join(ROOT, 'deploy/nats/try-it-now.conf'), 'utf8')).replace(
      '/var/lib/try-it-now-nats',
      dest,
    );
    await writeFile(installed('/nats.conf'), nats);
    await run(findProgram('nats-server') ?? 'nats-server', ['-t', '-c', installed('/nats.conf')]);
  });
});

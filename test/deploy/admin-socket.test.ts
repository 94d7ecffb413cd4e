import { execFile } from 'node:child_process';
import { chmod, chown, cp, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChildServer, findProgram } from '../../src/launcher/child-server.ts';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { composeServices, type ComposeService } from '../support/compose-file.ts';
import { temporaryFolder } from '../support/proxy.ts';
import { silent } from '../support/store.ts';

const DEPLOY = fileURLToPath(new URL('../../deploy', import.meta.url));
const CADDY_USER = 65_532;
const run = promisify(execFile);
/** From 2.7 on Caddy sets the mode of its socket by itself. */
const NEWER = process.env['NEWER_CADDY'];
const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write('The tests of who may open the admin socket are skipped: they need root\n');
else if (NEWER === undefined)
  process.stderr.write('The admin socket is tried with the Caddy on the PATH alone: NEWER_CADDY names no program\n');
const CADDIES = [findProgram('caddy') ?? 'caddy', ...(NEWER === undefined ? [] : [NEWER])];

let releasers: Releasers;
let dir: string;

beforeEach(async () => {
  releasers = new Releasers();
  dir = await temporaryFolder(releasers);
  await chmod(dir, 0o755);
});
afterEach(() => releasers.releaseAll(silent));

async function folder(name: string, gid: number, mode: number): Promise<string> {
  const path = join(dir, name);
  await mkdir(path, { recursive: true });
  await chown(path, CADDY_USER, gid);
  await chmod(path, mode);
  return path;
}

/** With this Caddy as the one on the PATH, as the user that Caddy has. */
async function start(caddy: string, command: readonly string[]): Promise<ChildServer> {
  await mkdir(join(dir, 'bin'), { recursive: true });
  await symlink(caddy, join(dir, 'bin/caddy')).catch(() => undefined);
  const data = await folder('data', CADDY_USER, 0o700);
  const server = await ChildServer.start({
    name: 'Caddy',
    command: 'setpriv',
    args: ['--reuid', String(CADDY_USER), '--regid', String(CADDY_USER), '--clear-groups', ...command],
    cwd: data,
    env: { PATH: path(), HOME: data, XDG_DATA_HOME: data, XDG_CONFIG_HOME: join(dir, 'config') },
    saysUp: 'serving initial configuration',
  });
  releasers.push('caddy', () => server.stop());
  return server;
}

const path = (): string => `${join(dir, 'bin')}:${process.env['PATH'] ?? ''}`;

/** Caddy's whole configuration, as somebody with these rights and no others gets it. */
async function read(socket: string, who: readonly string[]): Promise<string> {
  const ask = ['curl', '-sS', '--unix-socket', socket, '-H', 'Host;', 'http://caddy/config/'];
  return (await run('setpriv', [...who, ...ask])).stdout;
}

const rootWith = ({ cap_add: rights = [] }: ComposeService): string[] => [
  `--bounding-set=${['-all', ...rights.map((name) => `+${name.toLowerCase()}`)].join(',')}`,
];

describe.skipIf(!isRoot).each(CADDIES)('the admin socket of %s', (caddy) => {
  /** The shipped script of a service, with its folders here. */
  const shipped = ({ command = [] }: ComposeService, places: Readonly<Record<string, string>>): string[] => {
    const script = (command.at(-1) ?? '').replaceAll('$$', '$');
    return ['/bin/sh', '-ec', Object.entries(places).reduce((text, [from, to]) => text.replaceAll(from, to), script)];
  };
  /** As if another version had run last, whose way to say the mode is not this one's. What is this one's. */
  async function ranAnother(config: string, admin: string): Promise<string> {
    const [mode, other] = (await run(caddy, ['version'])).stdout.startsWith('2.6') ? ['', '|0220'] : ['|0220', ''];
    await mkdir(join(config, 'caddy'));
    await writeFile(
      join(config, 'caddy/autosave.json'),
      JSON.stringify({ admin: { listen: `unix/${admin}/admin.sock${other}` } }),
    );
    await run('chown', ['-R', String(CADDY_USER), config]);
    return mode;
  }
  async function caddyfile(text: string, admin: string, from: string): Promise<string> {
    const file = join(dir, 'Caddyfile');
    await writeFile(file, text.replace(from, admin), { mode: 0o644 });
    return file;
  }

  it('lets in the server of compose.yaml, also after what another version ran last', async () => {
    const { caddy: service = {}, server = {} } = await composeServices(join(DEPLOY, 'compose/compose.yaml'));
    const admin = await folder('admin', 0, 0o2770);
    const config = await folder('config', CADDY_USER, 0o700);
    const text = await readFile(join(DEPLOY, 'compose/Caddyfile'), 'utf8');
    const file = await caddyfile(text, admin, '/run/caddy-admin');
    const places = { '/run/caddy-admin': admin, '/etc/caddy/Caddyfile': file, '/config/': `${config}/` };
    const mode = await ranAnother(config, admin);
    for (const _ of ['first', 'again']) {
      const running = await start(caddy, shipped(service, places));
      expect(await read(join(admin, 'admin.sock'), rootWith(server))).toContain(`admin.sock${mode}"`);
      expect((await stat(join(admin, 'admin.sock'))).mode & 0o007).toBe(0);
      await running.stop();
    }
  });

  it('lets in the server beside it in the fleet of compose, and nobody else', async () => {
    const services = await composeServices(join(DEPLOY, 'compose/fleet/compose.yaml'));
    const [uid = ''] = (services['server-a']?.user ?? '').split(':');
    await folder('config', CADDY_USER, 0o700);
    const disks = join(dir, 'disks');
    await run('/bin/sh', [join(DEPLOY, 'compose/fleet/set-up.sh'), disks]);
    await chmod(disks, 0o755);
    const disk = join(disks, 'a');
    const file = join(disk, 'caddy/Caddyfile');
    await writeFile(file, (await readFile(file, 'utf8')).replaceAll('/host/', `${disk}/`));
    await start(caddy, shipped(services['proxy-a'] ?? {}, { '/host/': `${disk}/` }));
    const as = (id: string): string[] => ['--reuid', id, '--regid', id, '--clear-groups'];
    const socket = join(disk, 'caddy-admin/admin.sock');
    expect(await read(socket, as(uid))).toContain('admin.sock');
    await expect(read(socket, as('65530'))).rejects.toThrow();
  });

  it.each(['Caddyfile.local', 'Caddyfile.wildcard'])('lets in the server of the host with %s', async (name) => {
    const admin = await folder('admin', 0, 0o2770);
    await ranAnother(await folder('config', CADDY_USER, 0o700), admin);
    const [options = ''] = /^\{$[^]*?^\}$/m.exec(await readFile(join(DEPLOY, 'caddy', name), 'utf8')) ?? [];
    const file = await caddyfile(options, admin, '/run/try-it-now-caddy');
    await cp(join(DEPLOY, 'caddy/apply.js'), join(dir, 'apply.js'));
    const apply = async (): Promise<void> => {
      const env = { PATH: path(), HOME: dir, CADDY_ADMIN_URL: `unix://${admin}/admin.sock` };
      const id = String(CADDY_USER);
      const command = ['--reuid', id, '--regid', id, '--clear-groups', process.execPath, join(dir, 'apply.js'), file];
      await run('setpriv', [...command, '--force'], { env });
    };
    const unit = await readFile(join(DEPLOY, 'systemd/try-it-now.service'), 'utf8');
    const rights = [...unit.matchAll(/^CapabilityBoundingSet=(.*)$/gm)].flatMap(([, names = '']) => names.split(' '));
    expect(rights.length).toBeGreaterThan(5);
    const who = rootWith({ cap_add: rights.map((right) => right.replace(/^CAP_/, '')) });
    const resumed = ['/bin/sh', '-ec', `umask 0007; exec caddy run --resume --config ${file}`];
    for (const _ of ['first', 'again']) {
      const running = await start(caddy, resumed);
      // A reload sets the mode again.
      for (const __ of ['after the start', 'at a reload']) {
        await apply();
        expect(await read(join(admin, 'admin.sock'), who)).toContain('admin.sock');
      }
      expect((await stat(join(admin, 'admin.sock'))).mode & 0o007).toBe(0);
      await running.stop();
    }
  });
});

import { execFile } from 'node:child_process';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Redis as Valkey } from 'iovalkey';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ChildServer, findProgram } from '../../src/launcher/child-server.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { composeServices, requireSoundSettings, secretFiles, type ComposeService } from '../support/compose-file.ts';
import { Cleanups, ownFolder } from '../support/deployment.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FLEET = join(ROOT, 'deploy/compose/fleet');
const HOSTS = { a: '127.10.0.1', b: '127.10.0.2', c: '127.10.0.3' } as const;
type Letter = keyof typeof HOSTS;
const LETTERS = Object.keys(HOSTS) as Letter[];
const ADDRESSES = Object.values(HOSTS);
const run = promisify(execFile);

const services = await composeServices(join(FLEET, 'compose.yaml'));
const settingsOf = (name: string): Readonly<Record<string, string | number>> => services[name]?.environment ?? {};
const named = (part: string): string[] => Object.keys(services).filter((name) => name.startsWith(`${part}-`));
/** With the letter of its host; those of no host are left out. */
const onHosts = (): (readonly [string, ComposeService, Letter])[] =>
  Object.entries(services).flatMap(([name, service]) => {
    const letter = LETTERS.find((each) => name.endsWith(`-${each}`));
    return letter === undefined ? [] : [[name, service, letter] as const];
  });

describe('the compose file of a fleet', () => {
  it('gives the programs settings that they accept', () => {
    const programs = [...named('server'), ...named('worker'), ...named('discovery')];
    expect(programs).toHaveLength(7);
    for (const name of programs) expect(() => requireSoundSettings(services[name] ?? {}), name).not.toThrow();
  });

  it('gives each part no more rights than it needs, and runs parts of others by digest', () => {
    const { hello, 'set-up': setUp, ...parts } = services;
    expect(hello).toBeDefined();
    expect(setUp).toMatchObject({ network_mode: 'none', cap_drop: ['ALL'], read_only: true });
    for (const [name, part] of Object.entries(parts)) {
      expect([name, part]).toEqual([
        name,
        expect.objectContaining({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] }),
      ]);
      expect(part.privileged, name).toBeUndefined();
      const isWorker = name.startsWith('worker-');
      const hasEngine = part.volumes?.some((volume) => volume.includes('docker.sock')) === true;
      expect([name, hasEngine]).toEqual([name, isWorker]);
      if (!isWorker) expect([name, part.user]).toEqual([name, expect.stringMatching(/^[1-9]\d*:[1-9]\d*$/)]);
      if (part.image !== 'try-it-now') expect(part.image).toMatch(/:[\w.-]+@sha256:[0-9a-f]{64}$/);
      // Caddy's file asks for the one that it has.
      if (!isWorker) expect(part.cap_add ?? []).toEqual(/caddy/.test(part.image ?? '') ? ['NET_BIND_SERVICE'] : []);
    }
  });

  it('names the same images as the file for one host', async () => {
    const images = (all: Readonly<Record<string, ComposeService>>): Set<string | undefined> =>
      new Set(Object.values(all).map(({ image }) => image));
    expect(images(services)).toEqual(images(await composeServices(join(FLEET, '../compose.yaml'))));
  });

  it('has each part listen on the address of its host, and write to the disk of it alone', () => {
    expect(onHosts()).toHaveLength(18);
    const listens =
      /^(?:SERVER_HOST|ADMIN_ADDR|PROXY_LISTEN|DISCOVERY_(?:METRICS_)?ADDR|NODE_ADDRESS|WORKER_METRICS_ADDR)$/;
    for (const [name, { hostname, environment = {}, volumes = [] }, letter] of onHosts()) {
      expect([name, hostname]).toEqual([name, `host-${letter}`]);
      const at = Object.entries(environment).filter(([setting]) => listens.test(setting));
      if (/^(?:server|worker|discovery)-/.test(name)) expect(at.length, name).toBeGreaterThan(1);
      for (const [, address] of at) expect(String(address).split(':')[0], name).toBe(HOSTS[letter]);
      expect(volumes.filter((volume) => /^host-/.test(volume)).map((volume) => volume.split(':')[0])).toEqual([
        `host-${letter}`,
      ]);
    }
    expect(named('worker').map((name) => settingsOf(name)['NODE_NAME'])).toEqual(['host-a', 'host-b', 'host-c']);
  });

  it('has proxies ask the discovery beside them, and nodes ask the proxies that are there', () => {
    for (const name of named('server')) {
      const discovery = settingsOf(name.replace('server', 'discovery'));
      for (const setting of ['DISCOVERY_ADDR', 'DISCOVERY_METRICS_ADDR'])
        expect(settingsOf(name)[setting], name).toBe(discovery[setting]);
    }
    const proxies = named('server').map((name) => `http://${String(settingsOf(name)['PROXY_LISTEN'])}`);
    expect(proxies).toHaveLength(2);
    for (const name of [...named('server'), ...named('worker')])
      expect(String(settingsOf(name)['PROXY_INTERNAL_URL']).split(',').sort(), name).toEqual(proxies);
  });
});

const isRoot = process.getuid?.() === 0;
if (!isRoot) process.stderr.write('The tests of what the trial fleet sets up are skipped: they need root\n');

describe.skipIf(!isRoot)('its set-up (as root)', () => {
  const cleanups = new Cleanups('the compose file of a fleet');
  let disks: string;
  const setUp = (): Promise<unknown> => run('/bin/sh', [join(FLEET, 'set-up.sh'), disks]);
  const read = (file: string): Promise<string> => readFile(join(disks, file), 'utf8');
  const drawn = (name: string): Promise<string> => read(`drawn/${name}`);
  beforeAll(async () => {
    disks = await ownFolder(cleanups, 'tin-disks-');
    await setUp();
  });
  afterAll(() => cleanups[Symbol.asyncDispose]());

  it('has what each part starts with readable to its user alone', async () => {
    const wanted = onHosts().flatMap(([name, service, letter]) => {
      const given = [...(service.command ?? []), ...secretFiles(service)].filter((each) =>
        /^\/host\/[\w-]+\//.test(each),
      );
      const files = name.startsWith('proxy-') ? ['/host/caddy/Caddyfile'] : given;
      const [uid = '0'] = (service.user ?? '0').split(':');
      return files.map((file) => ({ file: file.replace('/host', letter), uid: Number(uid) }));
    });
    expect(wanted.length).toBeGreaterThan(30);
    const found = await Promise.all(
      wanted.map(async ({ file }) => {
        const [{ uid, mode }, folder] = await Promise.all([stat(join(disks, file)), stat(join(disks, file, '..'))]);
        return { file, uid, modes: [mode & 0o777, folder.mode & 0o777] };
      }),
    );
    expect(found).toEqual(wanted.map((each) => ({ ...each, modes: [0o600, 0o700] })));
  });

  it('keeps what it drew and what Valkey and Sentinel have learned', async () => {
    const before = await drawn('valkey-password');
    expect(before).toMatch(/^[0-9a-f]{48}$/);
    await writeFile(join(disks, 'a/sentinel/sentinel.conf'), 'learned');
    await setUp();
    expect(await drawn('valkey-password')).toBe(before);
    expect(await read('b/server/valkey-password')).toBe(before);
    expect(await read('a/sentinel/sentinel.conf')).toBe('learned');
  });

  it('has all hosts speak of the same addresses as the programs do', async () => {
    const { VALKEY_URL: valkeyUrl, NATS_URL: natsUrl } = settingsOf('server-a');
    expect(valkeyUrl).toBe(`valkey+sentinel://${ADDRESSES.map((each) => `${each}:26379`).join()}/try-it-now`);
    expect(natsUrl).toBe(ADDRESSES.map((each) => `nats://${each}:4222`).join());
    const routes = ADDRESSES.map((each) => `@${each}:6222"`);
    for (const letter of ['b', 'c'] as const) {
      const sentinel = await read(`${letter}/sentinel/sentinel.conf`);
      for (const line of [`bind ${HOSTS[letter]}`, 'port 26379', `sentinel monitor try-it-now ${HOSTS.a} 6379 2`])
        expect(sentinel.split('\n')).toContain(line);
      expect((await read(`${letter}/valkey/valkey.conf`)).split('\n')).toEqual(
        expect.arrayContaining([`bind ${HOSTS[letter]}`, `replicaof ${HOSTS.a} 6379`]),
      );
      const nats = await read(`${letter}/nats/nats.conf`);
      expect(nats.match(/@[\d.]+:6222"/g)).toEqual(routes);
      expect(nats).toContain(`\nlisten: "${HOSTS[letter]}:4222"`);
    }
    expect(await read('a/valkey/valkey.conf')).not.toMatch(/^replicaof/m);
  });

  it('gives the logins of Valkey the rights that the documents name', async () => {
    const text = await readFile(join(ROOT, 'docs/deployment.md'), 'utf8');
    const [, documented = ''] = /^## Valkey with replicas$([^]*?)^## /m.exec(text) ?? [];
    const rights = (of: string): string[] => of.match(/(?<=^user )\S+ (?:on|off).*$/gm) ?? [];
    const withoutSecrets = (of: string): string[] => rights(of).map((line) => line.replace(/ [>#]\S+/, ''));
    expect(rights(documented)).toHaveLength(4);
    expect(withoutSecrets(await read('c/valkey/valkey.conf'))).toEqual(withoutSecrets(documented));
  });

  it('is what NATS and Valkey accept, with the passwords that the programs get', async () => {
    await run(findProgram('nats-server') ?? 'nats-server', ['-t', '-c', join(disks, 'b/nats/nats.conf')]);
    const port = await freePort();
    const own = ['--port', String(port), '--bind', '127.0.0.1', '--dir', join(disks, 'a/valkey')];
    await using server = await ChildServer.start({
      name: 'Valkey',
      command: 'valkey-server',
      args: [join(disks, 'a/valkey/valkey.conf'), ...own],
      saysUp: 'Ready to accept connections',
    });
    expect(server.alive).toBe(true);
    const login = (username: string, password: string): Valkey =>
      new Valkey({ port, username, password, enableReadyCheck: false, retryStrategy: () => null });
    const program = login('try-it-now', await read('b/worker/valkey-password'));
    const sentinel = login('sentinel', await drawn('sentinel-login-password'));
    const stranger = new Valkey({ port, enableReadyCheck: false, retryStrategy: () => null });
    try {
      expect(await sentinel.ping()).toBe('PONG');
      // It has no replica here.
      await expect(program.set('a', 'b')).rejects.toThrow('NOREPLICAS');
      await expect(stranger.get('a')).rejects.toThrow('NOAUTH');
    } finally {
      for (const each of [program, sentinel, stranger]) each.disconnect();
    }
  });

  it('makes of the shipped load balancer one that leads to both servers and both proxies', async () => {
    const args = ['adapt', '--adapter', 'caddyfile', '--config', join(disks, 'front/Caddyfile')];
    const { stdout } = await run(findProgram('caddy') ?? 'caddy', args);
    const { admin, apps } = JSON.parse(stdout) as {
      readonly admin: unknown;
      readonly apps: { readonly http: { readonly servers: Readonly<Record<string, { readonly listen: unknown }>> } };
    };
    expect(admin).toEqual({ disabled: true });
    const before = Object.values(apps.http.servers).map((server) => ({
      listen: server.listen,
      upstreams: JSON.stringify(server).match(/(?<="dial":")[^"]+/g),
    }));
    const of = (setting: string): string[] => named('server').map((name) => String(settingsOf(name)[setting]));
    expect(before).toEqual([
      { listen: ['127.0.0.1:8000'], upstreams: of('PROXY_LISTEN') },
      { listen: ['127.0.0.1:8080'], upstreams: of('SERVER_HOST').map((host) => `${host}:8080`) },
    ]);
  });
});

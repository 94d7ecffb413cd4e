import { createSocket } from 'node:dgram';
import { closeSync, existsSync, openSync } from 'node:fs';
import { chown, cp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { once } from 'node:events';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answers, freePort, isFree } from '../../src/launcher/tcp-ports.ts';
import { Cleanups, ownFolder } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { claimPorts, type ClaimedPorts } from '../support/port-ranges.ts';
import { Program } from '../support/program.ts';
import { startStack } from '../support/stack.ts';

/** Where discovery answers unless it is told otherwise. */
const DISCOVERY_PORT = 15_353;

/** Of no rights, on every Debian. */
const NOBODY = 65_534;

const claimed: ClaimedPorts[] = [];

afterAll(async () => {
  for (const ports of claimed.splice(0)) await ports[Symbol.asyncDispose]();
});

async function upSettings(): Promise<Record<string, string>> {
  const ports = await claimPorts(100);
  claimed.push(ports);
  const { start, end } = ports;
  return {
    CONTAINER_MODE: 'simulated',
    SERVER_PORT: String(await freePort()),
    PROXY_LISTEN: `:${await freePort()}`,
    DEPLOYMENT: 'test-up',
    CONTAINER_PORT_RANGE_START: String(start),
    CONTAINER_PORT_RANGE_END: String(end),
    NODE_ENV: 'production',
  };
}

/** The processes whose ancestor `pid` is, as the kernel lists them. */
async function childrenOf(pid: number): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const name of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => undefined);
    if (stat !== undefined) parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const descends = (child: number): boolean => {
    const parent = parents.get(child);
    return parent === pid || (parent !== undefined && parent > 1 && descends(parent));
  };
  return [...parents.keys()].filter(descends);
}

/** By program: what of root's each of these processes has, and what everybody may read of how it was started. */
async function rightsOf(
  pids: readonly number[],
): Promise<ReadonlyMap<string, { root: boolean; capabilities: bigint }>> {
  const found = await Promise.all(
    pids.map(async (pid) => {
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      const field = (name: string): string => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1] ?? '';
      const rights = { root: field('Uid') === '0', capabilities: BigInt(`0x${field('CapEff') || '0'}`) };
      return [field('Name'), rights] as const;
    }),
  );
  return new Map(found);
}

/** The first line that a server says to whoever connects and says `line`. */
async function firstLine(port: number, line: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  try {
    socket.write(line);
    const [data] = (await once(socket, 'data')) as [Buffer];
    return data.toString();
  } finally {
    socket.destroy();
  }
}

/** Nobody but root and the parts themselves gets at the parts. */
async function expectGuarded(output: string, folder: string, children: readonly number[]): Promise<void> {
  const rights = await rightsOf(children);
  for (const program of ['valkey-server', 'nats-server', 'caddy'])
    expect([program, rights.get(program)]).toEqual([program, { root: false, capabilities: 0n }]);
  const port = (part: string): number => Number(new RegExp(`${part} on 127\\.0\\.0\\.1:(\\d+)`).exec(output)?.[1]);
  expect(await firstLine(port('Valkey'), 'KEYS *\r\n')).toContain('NOAUTH');
  expect(await firstLine(port('NATS'), '')).toContain('"auth_required":true');
  const socket = /^export CADDY_ADMIN_URL='unix:\/\/(.*)'$/m.exec(await readFile(`${folder}/environment`, 'utf8'))?.[1];
  expect((await stat(dirname(socket ?? ''))).mode & 0o777).toBe(0o700);
  for (const part of ['valkey', 'nats']) {
    const file = `${folder}/${part}/password`;
    const password = (await readFile(file, 'utf8')).trim();
    expect([(await stat(file)).mode & 0o777, password.length]).toEqual([0o600, 48]);
    for (const child of children)
      expect(await readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '')).not.toContain(password);
    expect(output).not.toContain(password);
  }
}

/** Whether by us or by somebody who has it already. */
async function occupyUdp(port: number): Promise<AsyncDisposable> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => {
    socket.once('error', () => resolve()).bind({ port, address: '127.0.0.1', exclusive: true }, resolve);
  });
  return { [Symbol.asyncDispose]: () => new Promise((closed) => socket.close(closed)) };
}

/** Another `up` beside the one with these settings: with the same ones, and with nothing chosen but its pool. */
async function eachBeside(settings: Readonly<Record<string, string>>): Promise<void> {
  await using same = new Program(['up'], settings);
  expect(await same.exitCode).toBe(1);
  for (const taken of [settings['DEPLOYMENT'], settings['SERVER_PORT'], settings['PROXY_LISTEN']?.slice(1)])
    expect(same.output).toContain(` ${taken ?? ''}`);
  expect(same.output).not.toContain('Valkey on');

  const { CONTAINER_PORT_RANGE_START, CONTAINER_PORT_RANGE_END } = await upSettings();
  const range = { CONTAINER_PORT_RANGE_START, CONTAINER_PORT_RANGE_END } as Record<string, string>;
  const pool = { CONTAINER_MODE: 'simulated', POOL_TARGET_SIZE: '1', NODE_ENV: 'production', ...range };
  await using first = new Program(['up'], pool);
  await using second = new Program(['up'], pool);
  for (const program of [first, second]) await eventually(() => expect(program.output).toContain('Click here:'));
  for (const program of [first, second]) expect(program.output).toContain('hello 1 of 1 ready');
  const pages = [first, second].map(({ output }) => /Click here: +(\S+)/.exec(output)?.[1] ?? '');
  expect(new Set(pages).size).toBe(2);
  for (const page of pages) expect((await fetch(`${page}health`)).status).toBe(200);
  for (const program of [first, second]) {
    program.signal('SIGINT');
    expect(await program.exitCode).toBe(0);
  }
}

describe('a full disk', () => {
  it('takes the log away, and nothing else', async () => {
    const full = openSync('/dev/full', 'w');
    const [dns, metrics] = [await freePort(), await freePort()];
    await using program = new Program(
      ['discovery'],
      {
        CONTAINER_MODE: 'simulated',
        DISCOVERY_ADDR: `127.0.0.1:${dns}`,
        DISCOVERY_METRICS_ADDR: `127.0.0.1:${metrics}`,
        VALKEY_ADDR: `127.0.0.1:${await freePort()}`,
        LOG_LEVEL: 'debug',
      },
      full,
    );
    closeSync(full);
    await eventually(
      async () => {
        const text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text();
        expect(Number(/^try_it_now_log_lines_dropped_total (\d+)$/m.exec(text)?.[1])).toBeGreaterThan(1);
        expect(text).toMatch(/^try_it_now_log_writable 0$/m);
      },
      { timeoutMs: 30_000 },
    );
    program.signal('SIGTERM');
    expect(await program.exitCode).toBe(0);
    expect(program.output).toBe('');
  });
});

describe('try-it-now up', () => {
  let usual: AsyncDisposable;
  beforeAll(async () => {
    usual = await occupyUdp(DISCOVERY_PORT);
  });
  afterAll(() => usual[Symbol.asyncDispose]());

  it('starts everything, says where to click, and leaves nothing after Ctrl-C', async () => {
    const settings = await upSettings();
    await using program = new Program(['up'], settings);
    await eventually(() => expect(program.output).toContain('Click here:'));
    const api = `http://localhost:${settings['SERVER_PORT'] ?? ''}`;
    expect(await (await fetch(`${api}/health`)).text()).toBe('{"status":"ok"}');
    const acquired = await fetch(`${api}/api/v1/demo/acquire`, { method: 'POST' });
    expect(acquired.status).toBe(201);
    const lines = program.output.split('\n');
    const at = (text: RegExp): number => lines.findIndex((line) => text.test(line));
    expect(at(/from now on: \. \S+environment$/)).toBeLessThan(at(/Warming the pools/));
    expect(at(/^- Warming the pools: hello \d of 3 ready$/)).toBeGreaterThan(-1);
    expect(await readFile(`/proc/${program.pid}/cmdline`, 'utf8')).toMatch(/^try-it-now\0/);
    await eachBeside(settings);
    const children = await childrenOf(program.pid);
    expect(children.length).toBeGreaterThanOrEqual(4);
    const log = /log: (\S+\.log)/.exec(program.output)?.[1] ?? '';
    const folder = /\. (\S+)\/environment/.exec(program.output)?.[1] ?? '';
    await expectGuarded(program.output, folder, children);
    expect((await stat(dirname(log))).mode & 0o777).toBe(0o700);
    for (const there of [log, folder]) expect(existsSync(there)).toBe(true);

    program.signal('SIGINT');
    expect(await program.exitCode).toBe(0);
    expect(program.output).toContain('nothing was left behind');
    for (const child of children)
      expect(
        existsSync(`/proc/${child}/exe`) && (await readFile(`/proc/${child}/status`, 'utf8')).includes('State:\tS'),
      ).toBe(false);
    expect(await answers(Number(settings['SERVER_PORT']))).toBe(false);
    expect(await isFree(Number(settings['PROXY_LISTEN']?.slice(1)))).toBe(true);
    for (const there of [dirname(log), folder]) expect(existsSync(there)).toBe(false);
  });

  it('refuses at a reload what it refuses at the start: questions whose answers nobody would get', async () => {
    await using cleanups = new Cleanups('a reload');
    const file = join(await ownFolder(cleanups, 'tin-up-reload-'), 'templates.yaml');
    const write = (more: object): Promise<void> =>
      writeFile(file, JSON.stringify({ templates: [{ name: 'shop', image: 'localhost/unused', port: 80, ...more }] }));
    const asks = { ask: 'during', fields: ['email'], text: 'Fine.', privacy_url: 'https://example.org/privacy' };
    const settings = { ...(await upSettings()), TEMPLATES_FILE: file };
    await write({ lead: asks });
    await using refused = new Program(['up'], settings);
    expect(await refused.exitCode).toBe(78);
    expect(refused.output).toContain('no webhook takes the event lead_given');

    await write({});
    await using program = new Program(['up'], settings);
    await eventually(() => expect(program.output).toContain('Click here:'));
    const log = /log: (\S+\.log)/.exec(program.output)?.[1] ?? '';
    await write({ lead: asks });
    program.signal('SIGHUP');
    await eventually(async () =>
      expect(await readFile(log, 'utf8')).toContain('no webhook takes the event lead_given'),
    );
    program.signal('SIGINT');
    expect(await program.exitCode).toBe(0);
  });

  it('takes its children with it even when it is killed', async () => {
    await using program = new Program(['up'], await upSettings());
    await eventually(() => expect(program.output).toContain('Click here:'));
    const children = await childrenOf(program.pid);
    const [log, folder] = [
      /log: (\S+\.log)/.exec(program.output)?.[1] ?? '',
      /\. (\S+)\/environment/.exec(program.output)?.[1] ?? '',
    ];
    program.signal('SIGKILL');
    await program.exitCode;
    await eventually(async () => {
      for (const child of children)
        expect(await readFile(`/proc/${child}/status`, 'utf8').catch(() => 'gone')).toMatch(/gone|State:\tZ/);
    });
    // On the disk nobody could clear up after it. The next one does, and leaves the log, which helps to find out why.
    for (const left of [log, folder]) expect(existsSync(left)).toBe(true);
    await using next = new Program(['up'], await upSettings());
    await eventually(() => expect(next.output).toContain('Click here:'));
    expect([log, folder].map((left) => existsSync(left))).toEqual([true, false]);
    next.signal('SIGINT');
    expect(await next.exitCode).toBe(0);
    await rm(dirname(log), { recursive: true });
  });

  it('runs for a user who is not root, says that containers need root, and leaves nothing', async () => {
    await using cleanups = new Cleanups('a user of no rights');
    const [copy, home] = [await ownFolder(cleanups, 'tin-copy-'), await ownFolder(cleanups, 'tin-home-')];
    for (const name of ['dist', 'deploy', 'examples', 'package.json'])
      await cp(fileURLToPath(new URL(`../../${name}`, import.meta.url)), join(copy, name), { recursive: true });
    await promisify(execFile)('chmod', ['-R', 'a+rX', copy]);
    await chown(home, NOBODY, NOBODY);
    const settings: Record<string, string> = { ...(await upSettings()), CONTAINER_MODE: '', HOME: home };
    const asNobody = (env: Readonly<Record<string, string>>): Program =>
      new Program(['up'], env, 'pipe', join(copy, 'dist/main.js'), NOBODY);

    await using chosen = asNobody({ ...settings, CONTAINER_MODE: 'podman' });
    expect(await chosen.exitCode).toBe(1);
    expect(chosen.output).toContain('only root may start Podman for instances: run `sudo make up`');
    expect(chosen.output).not.toContain('Valkey on');

    await using program = asNobody(settings);
    await eventually(() => expect(program.output).toContain('Click here:'));
    expect(program.output).toContain('Containers need root, so they are only simulated');
    expect(program.output).toContain('run `sudo make up`');
    const acquired = await fetch(`http://localhost:${settings['SERVER_PORT'] ?? ''}/api/v1/demo/acquire`, {
      method: 'POST',
    });
    expect(acquired.status).toBe(201);
    const children = await childrenOf(program.pid);
    program.signal('SIGINT');
    expect(await program.exitCode).toBe(0);
    expect(program.output).toContain('nothing was left behind');
    expect(children.filter((child) => existsSync(`/proc/${child}/exe`))).toEqual([]);
  });

  it('names a port that is taken, before it starts anything', async () => {
    const settings = await upSettings();
    const other = createServer().listen(Number(settings['SERVER_PORT']), '127.0.0.1');
    await once(other, 'listening');
    try {
      await using program = new Program(['up'], settings);
      expect(await program.exitCode).toBe(1);
      expect(program.output).toContain(`Port ${settings['SERVER_PORT'] ?? ''}`);
      expect(program.output).toContain('SERVER_PORT');
      expect(program.output).not.toContain('Valkey on');
    } finally {
      other.close();
    }
  });
});

describe.concurrent('try-it-now serve', () => {
  it('names every wrong variable at once and ends with 78', async () => {
    await using program = new Program(['serve'], {
      POOL_TARGET_SIZE: 'many',
      SERVER_PORT: '99999',
      CONTAINER_MODE: 'lxc',
    });
    expect(await program.exitCode).toBe(78);
    for (const name of ['POOL_TARGET_SIZE', 'SERVER_PORT', 'CONTAINER_MODE']) expect(program.output).toContain(name);
  });

  it('names the part that does not answer', async () => {
    await using stack = await startStack();
    await using ports = await claimPorts(100);
    const nowhere = `127.0.0.1:${await freePort()}`;
    const good = {
      CONTAINER_MODE: 'simulated',
      CONTAINER_IMAGE: 'localhost/unused',
      VALKEY_ADDR: stack.valkey.address,
      NATS_URL: stack.nats.url,
      CADDY_ADMIN_URL: stack.caddy.adminUrl,
      PROXY_LISTEN: stack.config.proxy.listen,
      CONTAINER_PORT_RANGE_START: String(ports.start),
      CONTAINER_PORT_RANGE_END: String(ports.end),
      DISCOVERY_ADDR: `127.0.0.1:${stack.config.proxy.discovery.port}`,
    };
    const cases = [
      [{ VALKEY_ADDR: nowhere }, `Valkey does not answer at ${nowhere}`],
      [{ NATS_URL: `nats://${nowhere}` }, `NATS at nats://${nowhere} does not answer`],
      [{ CADDY_ADMIN_URL: `http://${nowhere}` }, `Caddy's admin API does not answer at http://${nowhere}`],
      [{ CONTAINER_MODE: 'podman', PODMAN_SOCKET: '/nowhere/podman.sock' }, '/nowhere/podman.sock'],
      [{ CONTAINER_MODE: 'docker', DOCKER_SOCKET: '/nowhere/docker.sock' }, '/nowhere/docker.sock'],
      [{ SERVER_PORT: new URL(stack.api).port }, 'SERVER_PORT'],
      [{ ADMIN_ADDR: `127.0.0.1:${stack.config.admin.port}` }, 'ADMIN_ADDR'],
    ] as const;
    const outcomes = cases.map(async ([wrong]) => {
      const own = { SERVER_PORT: String(await freePort()), ADMIN_ADDR: `127.0.0.1:${await freePort()}` };
      await using program = new Program(['serve'], { ...good, ...own, ...wrong });
      return { exitCode: await program.exitCode, output: program.output };
    });
    expect(await Promise.all(outcomes)).toEqual(
      cases.map(([, message]) => ({ exitCode: 1, output: expect.stringContaining(message) as string })),
    );
  });
});

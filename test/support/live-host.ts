import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { createRuntime } from '../../src/composition/engines.ts';
import { loadConfig } from '../../src/config/load.ts';
import { launchCaddy } from '../../src/launcher/caddy.ts';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { launchNats } from '../../src/launcher/nats.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { launchValkey } from '../../src/launcher/valkey.ts';
import { loadEngine } from '../../src/runtime/engines.ts';
import { uniqueDeployment } from './container-engine.ts';
import { eventually } from './eventually.ts';
import { OPERATOR_KEY } from './operator.ts';
import { claimPorts } from './port-ranges.ts';
import { silent } from './store.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = join(ROOT, 'dist/main.js');
const UNIT = 'try-it-now';

export interface LiveHostOptions {
  readonly podmanSocket: string;
  /** As in a catalogue file. */
  readonly templates: readonly object[];
  /** How many its instances share. */
  readonly ports: number;
}

/**
 * A host as deployment.md sets it up: the parts, the server and discovery as processes, the settings in one file, and the
 * command as `make install` installs it. Two programs are no real ones, since systemd runs nowhere in a test: `systemctl`, which
 * starts, stops and kills the real server, and `journalctl`, which shows what that wrote.
 */
export class LiveHost implements AsyncDisposable {
  readonly #dir: string;
  readonly #cleanups: (() => Promise<unknown>)[];
  readonly #addresses: readonly (readonly [documented: string, here: string])[];
  readonly #pools: string;
  readonly natsUrl: string;
  #server: ChildServer | undefined;

  private constructor({ dir, cleanups, addresses, pools, natsUrl }: Parts) {
    this.#dir = dir;
    this.#cleanups = cleanups;
    this.#addresses = addresses;
    this.#pools = pools;
    this.natsUrl = natsUrl;
  }

  static async launch(options: LiveHostOptions): Promise<LiveHost> {
    const cleanups: (() => Promise<unknown>)[] = [];
    try {
      const host = new LiveHost(await launchParts(options, cleanups));
      await host.#serveSystemctl();
      cleanups.push(() => host.#stop());
      await host.#start();
      await host.#untilUp();
      return host;
    } catch (error) {
      await runBackwards(cleanups);
      throw error;
    }
  }

  /** What somebody's shell on this host has. */
  get env(): Readonly<Record<string, string>> {
    return {
      PATH: `${join(this.#dir, 'bin')}:${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`,
      HOME: this.#dir,
      LANG: 'C.UTF-8',
    };
  }

  /** The same with this host's addresses and folders in place of the documented ones. */
  here(script: string): string {
    return this.#addresses.reduce((translated, [documented, here]) => translated.replaceAll(documented, here), script);
  }

  /** Until every open pool is full, or more than that, and nothing is under way; at once while the server is stopped. */
  async settled(): Promise<void> {
    if (this.#server?.alive !== true) return;
    await eventually(
      async () => {
        const { pools } = (await (await fetch(this.#pools, { headers: { 'x-api-key': OPERATOR_KEY } })).json()) as {
          pools: { mode: string; ready: number; target: number; warming: number; leaving: number }[];
        };
        for (const pool of pools) {
          if (pool.mode !== 'open') continue;
          expect(pool).toMatchObject({ warming: 0, leaving: 0 });
          expect(pool.ready).toBeGreaterThanOrEqual(pool.target);
        }
      },
      { timeoutMs: 30_000, everyMs: 50 },
    );
  }

  /** The last lines of the server, for a failure's message. */
  async log(lines = 20): Promise<string> {
    return (await readFile(join(this.#dir, 'journal'), 'utf8').catch(() => '')).split('\n').slice(-lines).join('\n');
  }

  /** As a unit of `Type=exec`: it is there, and has done nothing yet. */
  async #start(): Promise<void> {
    if (this.#server?.alive === true) return;
    this.#server = await ChildServer.start({
      name: 'the server',
      command: '/bin/sh',
      args: ['-c', 'exec try-it-now serve >>"$0" 2>&1', join(this.#dir, 'journal')],
      env: this.env,
      isUp: () => Promise.resolve(true),
    });
  }

  async #untilUp(): Promise<void> {
    await eventually(
      async () => {
        if (this.#server?.alive === true) expect((await fetch(this.#pools)).status).toBe(401);
      },
      { timeoutMs: 30_000 },
    );
    if (this.#server?.alive !== true) throw new Error(`the server did not start: ${await this.log()}`);
  }

  async #stop(): Promise<void> {
    await this.#server?.stop();
  }

  async #systemctl(args: string): Promise<void> {
    const space = args.lastIndexOf(' ');
    const [verb, unit] = [args.slice(0, space), args.slice(space + 1)];
    if (unit !== UNIT) throw new Error(`the stand-in for systemctl knows ${UNIT} alone, and was asked for ${unit}`);
    switch (verb) {
      case 'start':
        return this.#start();
      case 'stop':
        return this.#stop();
      case 'restart': {
        await this.#stop();
        return this.#start();
      }
      // The unit says Restart=always.
      case 'kill -s SIGKILL': {
        this.#server?.signal('SIGKILL');
        await this.#server?.exited;
        return this.#start();
      }
      default:
        throw new Error(`the stand-in for systemctl does not know ${verb}`);
    }
  }

  async #serveSystemctl(): Promise<void> {
    const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      try {
        await this.#systemctl(await text(request));
        response.end();
      } catch (error) {
        response.writeHead(400).end(`${error instanceof Error ? error.message : String(error)}\n`);
      }
    };
    const server = createServer((request, response) => {
      void answer(request, response);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(join(this.#dir, 'systemctl.sock'), resolve);
    });
    this.#cleanups.push(() => new Promise((resolve) => server.close(resolve)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await runBackwards(this.#cleanups);
  }
}

interface Parts {
  readonly dir: string;
  readonly cleanups: (() => Promise<unknown>)[];
  readonly addresses: readonly (readonly [string, string])[];
  readonly pools: string;
  readonly natsUrl: string;
}

async function launchParts(
  { podmanSocket, templates, ports }: LiveHostOptions,
  cleanups: (() => Promise<unknown>)[],
): Promise<Parts> {
  const instances = await claimPorts(ports);
  cleanups.push(async () => instances[Symbol.asyncDispose]());
  const dir = await mkdtemp(join(tmpdir(), 'tin-host-'));
  cleanups.push(() => rm(dir, { recursive: true, force: true }));
  for (const folder of ['valkey', 'nats', 'caddy', 'etc', 'bin', 'checkpoints'])
    await mkdir(join(dir, folder), { mode: 0o700 });
  const valkey = await launchValkey({ dir: join(dir, 'valkey'), persistent: true });
  cleanups.push(() => valkey.server.stop());
  const nats = await launchNats({ dir: join(dir, 'nats') });
  cleanups.push(() => nats.server.stop());
  const caddy = await launchCaddy({ dir: join(dir, 'caddy') });
  cleanups.push(() => caddy.server.stop());

  await writeFile(join(dir, 'etc/templates.yaml'), stringify({ templates }));
  await writeFile(join(dir, 'etc/operator-key'), `${OPERATOR_KEY}\n`, { mode: 0o600 });
  const [serverPort, adminPort, metricsPort] = [await freePort(), await freePort(), await freePort()];
  const settings = {
    CONTAINER_MODE: 'podman',
    PODMAN_SOCKET: podmanSocket,
    TEMPLATES_FILE: join(dir, 'etc/templates.yaml'),
    CHECKPOINT_DIR: join(dir, 'checkpoints'),
    VALKEY_ADDR: valkey.address,
    NATS_URL: nats.url,
    CADDY_ADMIN_URL: caddy.adminUrl,
    DEPLOYMENT: uniqueDeployment(),
    SERVER_PORT: String(serverPort),
    ADMIN_ADDR: `127.0.0.1:${adminPort}`,
    PROXY_LISTEN: `127.0.0.1:${await freePort()}`,
    DISCOVERY_ADDR: `127.0.0.1:${await freePort()}`,
    DISCOVERY_METRICS_ADDR: `127.0.0.1:${metricsPort}`,
    CONTAINER_PORT_RANGE_START: String(instances.start),
    CONTAINER_PORT_RANGE_END: String(instances.end),
    RATE_LIMIT_HOURLY: '0',
    RATE_LIMIT_DAILY: '0',
    OPERATOR_KEYS_FILE: join(dir, 'etc/operator-key'),
    OPERATOR_KEY_FILE: join(dir, 'etc/operator-key'),
  };
  await writeFile(
    join(dir, 'etc/try-it-now.env'),
    Object.entries(settings)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(''),
  );
  await installCommands(dir);

  const discovery = await ChildServer.start({
    name: 'discovery',
    command: join(dir, 'bin/try-it-now'),
    args: ['discovery'],
    saysUp: 'Discovery answers',
  });
  cleanups.push(() => discovery.stop());
  cleanups.push(async () => {
    const runtime = createRuntime(await loadEngine('podman'), loadConfig(settings).config, silent);
    await Promise.all((await runtime.list()).map(({ name }) => runtime.remove(name)));
    if (!(await runtime.unprepare())) throw new Error('containers of the test are still there');
    await runtime.close();
  });
  return {
    dir,
    cleanups,
    natsUrl: nats.url,
    pools: `http://127.0.0.1:${adminPort}/admin/v1/pools`,
    addresses: [
      ['localhost:8080', `127.0.0.1:${serverPort}`],
      ['127.0.0.1:8080', `127.0.0.1:${serverPort}`],
      ['http://localhost:8222', nats.monitorUrl],
      ['127.0.0.1:15354', `127.0.0.1:${metricsPort}`],
      ['valkey-cli ', `valkey-cli -p ${valkey.address.split(':')[1] ?? ''} `],
      ['/etc/try-it-now/', join(dir, 'etc/')],
    ],
  };
}

/** The command as it is installed, with the places of this host; and the two stand-ins. */
async function installCommands(dir: string): Promise<void> {
  const installed = await readFile(join(ROOT, 'deploy/try-it-now.sh'), 'utf8');
  const command = installed
    .replace('/etc/try-it-now/', join(dir, 'etc/'))
    .replace('/usr/bin/node', process.execPath)
    .replace('/opt/try-it-now/dist/main.js', MAIN);
  const programs = {
    'try-it-now': command,
    systemctl: `#!/bin/sh\nexec curl -sS --fail-with-body --unix-socket '${join(dir, 'systemctl.sock')}' --data-binary "$*" http://localhost/\n`,
    journalctl: `#!/bin/sh\n[ "$1 $2" = '-u ${UNIT}' ] || { echo "the stand-in for journalctl knows -u ${UNIT} alone" >&2; exit 1; }\n[ "$3" = -n ] && exec tail -n "$4" '${join(dir, 'journal')}'\nexec cat '${join(dir, 'journal')}'\n`,
  };
  for (const [name, script] of Object.entries(programs)) {
    await writeFile(join(dir, 'bin', name), script);
    await chmod(join(dir, 'bin', name), 0o755);
  }
}

async function runBackwards(cleanups: (() => Promise<unknown>)[]): Promise<void> {
  const errors: unknown[] = [];
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup().catch((error: unknown) => errors.push(error));
  if (errors.length > 0) throw new AggregateError(errors, 'the host left something behind');
}

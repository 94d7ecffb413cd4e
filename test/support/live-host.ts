import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { text } from 'node:stream/consumers';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { ChildServer } from '../../src/launcher/child-server.ts';
import {
  Cleanups,
  addressesOf,
  drawPorts,
  launchBacking,
  ownFolder,
  ownSettings,
  removeContainers,
} from './deployment.ts';
import { eventually } from './eventually.ts';
import { OPERATOR_KEY } from './operator.ts';
import { claimPorts } from './port-ranges.ts';

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
 * A host as deployment.md sets it up: the parts, the server and discovery as processes, the settings in one file, and
 * the command as `make install` installs it. Two programs are no real ones, since systemd runs nowhere in a test:
 * `systemctl`, which starts, stops and kills the real server, and `journalctl`, which shows what that wrote.
 */
export class LiveHost implements AsyncDisposable {
  readonly #dir: string;
  readonly #cleanups: Cleanups;
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
    const cleanups = new Cleanups('the host');
    try {
      const host = new LiveHost(await launchParts(options, cleanups));
      await host.#serveSystemctl();
      cleanups.push(() => host.#stop());
      await host.#start();
      await host.#untilUp();
      return host;
    } catch (error) {
      await cleanups[Symbol.asyncDispose]();
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

  /**
   * Until every open pool is full, or more than that, and nothing is under way; at once while the server is stopped.
   */
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
      { timeoutMs: 60_000, everyMs: 50 },
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
      { timeoutMs: 60_000 },
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
    await this.#cleanups[Symbol.asyncDispose]();
  }
}

interface Parts {
  readonly dir: string;
  readonly cleanups: Cleanups;
  readonly addresses: readonly (readonly [string, string])[];
  readonly pools: string;
  readonly natsUrl: string;
}

async function launchParts(
  { podmanSocket, templates, ports: instancePorts }: LiveHostOptions,
  cleanups: Cleanups,
): Promise<Parts> {
  const instances = await claimPorts(instancePorts);
  cleanups.push(() => instances[Symbol.asyncDispose]());
  const dir = await ownFolder(cleanups, 'tin-host-');
  for (const folder of ['etc', 'bin', 'checkpoints']) await mkdir(join(dir, folder), { mode: 0o700 });
  const backing = await launchBacking(dir, cleanups, { persistent: true });
  const ports = await drawPorts();
  const settings = {
    CONTAINER_MODE: 'podman',
    PODMAN_SOCKET: podmanSocket,
    TEMPLATES_FILE: join(dir, 'etc/templates.yaml'),
    CHECKPOINT_DIR: join(dir, 'checkpoints'),
    ...addressesOf(backing),
    ...ownSettings(ports, instances),
    PROXY_LISTEN: `127.0.0.1:${ports.proxy}`,
    OPERATOR_KEYS_FILE: join(dir, 'etc/operator-key'),
    OPERATOR_KEY_FILE: join(dir, 'etc/operator-key'),
  };
  await writeFile(join(dir, 'etc/templates.yaml'), stringify({ templates }));
  await writeFile(join(dir, 'etc/operator-key'), `${OPERATOR_KEY}\n`, { mode: 0o600 });
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
  cleanups.push(() => removeContainers('podman', loadConfig(settings).config));
  return {
    dir,
    cleanups,
    natsUrl: backing.nats.url,
    pools: `http://127.0.0.1:${ports.admin}/admin/v1/pools`,
    addresses: [
      ['localhost:8080', `127.0.0.1:${ports.server}`],
      ['127.0.0.1:8080', `127.0.0.1:${ports.server}`],
      ['http://localhost:8222', backing.nats.monitorUrl],
      ['127.0.0.1:15354', `127.0.0.1:${ports.discoveryMetrics}`],
      ['valkey-cli ', `valkey-cli -p ${backing.valkey.address.split(':')[1] ?? ''} `],
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
    systemctl:
      `#!/bin/sh\nexec curl -sS --fail-with-body --unix-socket '${join(dir, 'systemctl.sock')}' ` +
      '--data-binary "$*" http://localhost/\n',
    journalctl:
      `#!/bin/sh\n[ "$1 $2" = '-u ${UNIT}' ] || { echo "the stand-in for journalctl knows -u ${UNIT} ` +
      `alone" >&2; exit 1; }\n[ "$3" = -n ] && exec tail -n "$4" '${join(dir, 'journal')}'\nexec cat ` +
      `'${join(dir, 'journal')}'\n`,
  };
  for (const [name, script] of Object.entries(programs)) {
    await writeFile(join(dir, 'bin', name), script);
    await chmod(join(dir, 'bin', name), 0o755);
  }
}

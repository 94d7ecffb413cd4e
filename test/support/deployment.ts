import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRuntime } from '../../src/composition/engines.ts';
import type { Config } from '../../src/config/config.ts';
import { newHostLabel } from '../../src/domain/ids.ts';
import { launchCaddy, type LaunchedCaddy } from '../../src/launcher/caddy.ts';
import { launchNats, type LaunchedNats } from '../../src/launcher/nats.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { launchValkey, type LaunchedValkey } from '../../src/launcher/valkey.ts';
import { loadEngine, type EngineName } from '../../src/runtime/engines.ts';
import { silent } from './store.ts';

/** What a test has made, undone in reverse, all of it, whatever fails on the way. */
export class Cleanups implements AsyncDisposable {
  readonly #of: string;
  readonly #cleanups: (() => unknown)[] = [];

  /** `of` is what it belongs to, for the message of what could not be undone. */
  constructor(of: string) {
    this.#of = of;
  }

  push(cleanup: () => unknown): void {
    this.#cleanups.push(cleanup);
  }

  /** Throws an AggregateError. */
  async [Symbol.asyncDispose](): Promise<void> {
    const errors: unknown[] = [];
    for (const cleanup of this.#cleanups.splice(0).reverse()) {
      try {
        await cleanup();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw new AggregateError(errors, `${this.#of} left something behind`);
  }
}

export async function ownFolder(cleanups: Cleanups, prefix: string): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), prefix));
  cleanups.push(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** What a server works with but engine and database, each a real server with its data in a folder of its own. */
export interface Backing {
  readonly valkey: LaunchedValkey;
  readonly nats: LaunchedNats;
  readonly caddy: LaunchedCaddy;
}

export async function launchBacking(
  dir: string,
  cleanups: Cleanups,
  valkeyOptions: { readonly persistent?: boolean } = {},
): Promise<Backing> {
  const launch = async <L extends { readonly server: { stop(): Promise<unknown> } }>(
    name: string,
    start: (folder: string) => Promise<L>,
  ): Promise<L> => {
    await mkdir(join(dir, name), { mode: 0o700 });
    const launched = await start(join(dir, name));
    cleanups.push(() => launched.server.stop());
    return launched;
  };
  const [valkey, nats, caddy] = await Promise.allSettled([
    launch('valkey', (folder) => launchValkey({ dir: folder, ...valkeyOptions })),
    launch('nats', (folder) => launchNats({ dir: folder })),
    launch('caddy', (folder) => launchCaddy({ dir: folder })),
  ]);
  return { valkey: started(valkey), nats: started(nats), caddy: started(caddy) };
}

/** Only once all have started or failed, so that what started is stopped too. */
function started<T>(result: PromiseSettledResult<T>): T {
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}

export interface OwnPorts {
  readonly server: number;
  readonly admin: number;
  readonly proxy: number;
  readonly discovery: number;
  readonly discoveryMetrics: number;
  readonly workerMetrics: number;
}

export async function drawPorts(): Promise<OwnPorts> {
  return {
    server: await freePort(),
    admin: await freePort(),
    proxy: await freePort(),
    discovery: await freePort(),
    discoveryMetrics: await freePort(),
    workerMetrics: await freePort(),
  };
}

/** Settings of a deployment with a name of its own that listens on these ports and limits nobody. */
export function ownSettings(ports: OwnPorts, instances: { readonly start: number; readonly end: number }) {
  return {
    DEPLOYMENT: `test-${newHostLabel().slice(0, 8)}`,
    SERVER_PORT: String(ports.server),
    ADMIN_ADDR: `127.0.0.1:${ports.admin}`,
    PROXY_LISTEN: `:${ports.proxy}`,
    DISCOVERY_ADDR: `127.0.0.1:${ports.discovery}`,
    DISCOVERY_METRICS_ADDR: `127.0.0.1:${ports.discoveryMetrics}`,
    WORKER_METRICS_ADDR: `127.0.0.1:${ports.workerMetrics}`,
    CONTAINER_PORT_RANGE_START: String(instances.start),
    CONTAINER_PORT_RANGE_END: String(instances.end),
    RATE_LIMIT_HOURLY: '0',
    RATE_LIMIT_DAILY: '0',
  };
}

export function addressesOf({ valkey, nats, caddy }: Backing) {
  return { VALKEY_ADDR: valkey.address, NATS_URL: nats.url, CADDY_ADMIN_URL: caddy.adminUrl };
}

const REMOVED_AT_ONCE = 8;

/** A server that stops leaves its containers to its next start; after a test there is none. Throws when one stays. */
export async function removeContainers(engine: EngineName, config: Config): Promise<void> {
  const runtime = createRuntime(await loadEngine(engine), config, silent);
  try {
    const left = (await runtime.list()).map(({ name }) => name);
    // A hundred at once keep the engine busy for longer than it is waited for.
    while (left.length > 0) await Promise.all(left.splice(0, REMOVED_AT_ONCE).map((name) => runtime.remove(name)));
    if (!(await runtime.unprepare())) throw new Error('containers of the test are still there');
  } finally {
    await runtime.close();
  }
}

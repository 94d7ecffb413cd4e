import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis as Valkey } from 'iovalkey';
import { stringify } from 'yaml';
import { openReconcileContext } from '../../src/composition/reconcile-context.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/config.ts';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { detectDrift } from '../../src/pool/detect-drift.ts';
import { launchSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import { Cleanups, addressesOf, drawPorts, launchBacking, ownFolder, ownSettings } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { memoryBytes } from '../support/process-use.ts';
import { OPERATOR_KEY, askAdmin } from '../support/operator.ts';
import { silent } from '../support/store.ts';
import { acquireInSequence, releaseInSequence } from './load.ts';
import { recordInstances } from './recorded-instances.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
/** A pool may have 10,000 at most, those on their way in and out included. */
const MOST_OF_A_POOL = 9_000;
/** Visitors take of the first; the others are there for their number. */
const TEMPLATES = Array.from({ length: 12 }, (_, at) => `grown-${at + 1}`);
/** On the server's own node, so that it can be taken and refilled. */
const REAL = 60;
export const TAKEN_A_ROUND = 50;
const SETTLED = { timeoutMs: 120_000, everyMs: 5 };

/** How one deployment did in one round, in the units of the names. */
export interface GrowthRound {
  readonly acquiresMs: readonly number[];
  readonly refillsPerSecond: number;
  readonly reconcileMs: number;
  readonly scrapeMs: number;
  readonly serverStartMs: number;
  readonly discoveryStartMs: number;
  readonly valkeyBytes: number;
  readonly serverBytes: number;
  readonly discoveryBytes: number;
}

/**
 * A server, discovery, Valkey, NATS and Caddy in processes of their own, and so many instances: some are the
 * simulated engine's, and visitors get those; of the others there is all that is recorded, as if they were on nodes
 * elsewhere.
 */
export class GrownDeployment implements AsyncDisposable {
  readonly instances: number;
  readonly #env: Readonly<Record<string, string>>;
  readonly #config: Config;
  readonly #valkey: Valkey;
  readonly #cleanups: Cleanups;
  #server: ChildServer | undefined;
  #discovery: ChildServer | undefined;

  private constructor(parts: Parts, cleanups: Cleanups) {
    this.instances = parts.instances;
    this.#env = parts.env;
    this.#config = parts.config;
    this.#valkey = parts.valkey;
    this.#cleanups = cleanups;
  }

  static async start(instances: number, portRange: readonly [number, number]): Promise<GrownDeployment> {
    const cleanups = new Cleanups('the benchmark');
    try {
      const deployment = new GrownDeployment(await prepare(instances, portRange, cleanups), cleanups);
      cleanups.push(() => deployment.#discovery?.stop());
      cleanups.push(() => deployment.#server?.stop());
      await deployment.#startDiscovery();
      await deployment.#startServer();
      await deployment.#untilWhole();
      return deployment;
    } catch (error) {
      await cleanups[Symbol.asyncDispose]();
      throw error;
    }
  }

  get #api(): string {
    return `http://127.0.0.1:${this.#config.server.port}`;
  }

  /** What an engine of JavaScript compiles on the way is not what a running server costs. */
  async warmUp(): Promise<void> {
    for (let turn = 0; turn < 4; turn += 1) await this.#visits();
  }

  async round(): Promise<GrowthRound> {
    const { acquiresMs, refillsPerSecond } = await this.#visits();
    const reconcileMs = await this.#reconcile();
    const scrapeMs = await timed(() => this.#scrape());
    const valkeyBytes = await usedMemory(this.#valkey);
    const serverBytes = await memoryBytes(pids(this.#server));
    const discoveryBytes = await memoryBytes(pids(this.#discovery));
    await this.#discovery?.stop();
    const discoveryStartMs = await timed(() => this.#startDiscovery());
    await this.#server?.stop();
    const serverStartMs = await timed(() => this.#startServer());
    await this.#untilWhole();
    await this.warmUp();
    return {
      acquiresMs,
      refillsPerSecond,
      reconcileMs,
      scrapeMs,
      serverStartMs,
      discoveryStartMs,
      valkeyBytes,
      serverBytes,
      discoveryBytes,
    };
  }

  /** Nothing is refilled until all have been taken and are gone again. */
  async #visits(): Promise<{ readonly acquiresMs: readonly number[]; readonly refillsPerSecond: number }> {
    const [template = ''] = TEMPLATES;
    const target = shares(this.instances)[0] ?? 0;
    await this.#setTarget(template, target - TAKEN_A_ROUND);
    const { latenciesMs, acquired } = await acquireInSequence(this.#api, TAKEN_A_ROUND);
    await releaseInSequence(
      this.#api,
      acquired.map(({ id }) => id),
    );
    await this.#until({ ready: target - TAKEN_A_ROUND });
    const refillMs = await timed(async () => {
      await this.#setTarget(template, target);
      await this.#until({ ready: target });
    });
    return { acquiresMs: latenciesMs, refillsPerSecond: TAKEN_A_ROUND / (refillMs / 1_000) };
  }

  async #reconcile(): Promise<number> {
    const context = await openReconcileContext(this.#config, 'bench', silent);
    try {
      const startedAt = performance.now();
      const { findings, unchecked } = await detectDrift(context);
      const tookMs = performance.now() - startedAt;
      const [problem] = [...unchecked.map(({ error }) => error), ...findings.map(({ what, why }) => `${what}: ${why}`)];
      if (problem !== undefined) throw new Error('there is something to reconcile', { cause: problem });
      return tookMs;
    } finally {
      await context.close();
    }
  }

  async #scrape(): Promise<void> {
    const answer = await fetch(`${this.#api}/metrics`);
    const text = await answer.text();
    if (!/^try_it_now_pool_ready\{/m.test(text)) throw new Error(`the metrics lack the pools: ${text.slice(0, 200)}`);
  }

  async #startServer(): Promise<void> {
    this.#server = await ChildServer.start({
      name: 'server',
      command: process.execPath,
      args: [MAIN, 'serve'],
      env: this.#env,
      isUp: async () => (await fetch(`${this.#api}/ready`)).ok,
    });
  }

  /** It is up once it knows every instance that there is. */
  async #startDiscovery(): Promise<void> {
    const known = await this.#valkey.hlen('hostnames');
    const { host, port } = this.#config.proxy.discovery.metrics;
    this.#discovery = await ChildServer.start({
      name: 'discovery',
      command: process.execPath,
      args: [MAIN, 'discovery'],
      env: this.#env,
      isUp: async () => {
        const text = await (await fetch(`http://${host}:${port}/metrics`)).text();
        return Number(/^try_it_now_dns_hostnames (\d+)/m.exec(text)?.[1]) >= known;
      },
    });
  }

  #untilWhole(): Promise<void> {
    return this.#until({ ready: shares(this.instances)[0] ?? 0 });
  }

  async #until({ ready }: { readonly ready: number }): Promise<void> {
    const count = async (index: string): Promise<number> => this.#valkey.zcard(`${index}:${TEMPLATES[0]}`);
    await eventually(async () => {
      const [idle, warming, assigned, leaving] = await Promise.all(
        ['ready', 'warming', 'assigned', 'leaving'].map(count),
      );
      if (idle !== ready || warming !== 0 || assigned !== 0 || leaving !== 0)
        throw new Error(
          `${idle} of ${ready} are ready, ${warming} warming, ${assigned} assigned, ${leaving} leaving: ` +
            (this.#server?.tail(3) ?? ''),
        );
    }, SETTLED);
  }

  async #setTarget(template: string, target: number): Promise<void> {
    const { status, text } = await askAdmin(this.#config.admin.port, 'PUT', `/admin/v1/pools/${template}/target`, {
      body: { target },
    });
    if (status >= 300) throw new Error(`the target could not be set: ${text}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanups[Symbol.asyncDispose]();
  }
}

interface Parts {
  readonly instances: number;
  readonly env: Readonly<Record<string, string>>;
  readonly config: Config;
  readonly valkey: Valkey;
}

/** All but server and discovery. */
async function prepare(instances: number, [start, end]: readonly [number, number], cleanups: Cleanups): Promise<Parts> {
  const dir = await ownFolder(cleanups, 'try-it-now-growth-');
  const backing = await launchBacking(dir, cleanups);
  const socketPath = join(dir, 'engine.sock');
  const engine = await launchSimulatedEngine({ socketPath });
  cleanups.push(() => engine.server.stop());
  const env = {
    CONTAINER_MODE: 'simulated',
    SIMULATED_SOCKET: socketPath,
    TEMPLATES_FILE: await writeTemplates(dir, instances),
    ...addressesOf(backing),
    ...ownSettings(await drawPorts(), { start, end }),
    NODE_CAPACITY: String(end - start + 1),
    OPERATOR_KEYS: OPERATOR_KEY,
    POOL_MAX_AGE: '48h',
  };
  const { config } = loadConfig(env);
  const valkey = new Valkey(config.valkey.port, config.valkey.host);
  cleanups.push(() => valkey.disconnect());
  const counts = shares(instances);
  const nodes = await recordInstances(
    config,
    config.templates.map((template, at) => ({ template, count: (counts[at] ?? 0) - (at === 0 ? REAL : 0) })),
  );
  cleanups.push(() => nodes[Symbol.asyncDispose]());
  return {
    instances,
    env,
    config,
    valkey,
  };
}

/** How many there are of each template. */
function shares(instances: number): readonly number[] {
  return TEMPLATES.map((_, at) => Math.max(0, Math.min(MOST_OF_A_POOL, instances - at * MOST_OF_A_POOL)));
}

async function writeTemplates(dir: string, instances: number): Promise<string> {
  const file = join(dir, 'templates.yaml');
  const counts = shares(instances);
  const templates = TEMPLATES.map((name, at) => ({
    name,
    title: name,
    image: 'localhost/unused',
    port: 80,
    readiness: { path: '/' },
    pool: { target: counts[at], max: MOST_OF_A_POOL + 1_000, replenish_threshold: 0 },
  }));
  await writeFile(file, stringify({ templates }));
  return file;
}

async function usedMemory(valkey: Valkey): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await valkey.info('memory'))?.[1]);
}

function pids(child: ChildServer | undefined): readonly number[] {
  return child?.pid === undefined ? [] : [child.pid];
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

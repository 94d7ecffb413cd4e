import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis as Valkey } from 'iovalkey';
import { stringify } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { launchSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import {
  Cleanups,
  addressesOf,
  drawPorts,
  launchBacking,
  ownFolder,
  ownSettings,
  removeContainers,
} from './deployment.ts';
import { claimPorts } from './port-ranges.ts';
import { readEvents } from './sse.ts';

export interface LineOptions {
  readonly waiters: number;
  /** Between two instances that come up. */
  readonly everyMs: number;
  /** Once so many were served, the first of the two servers is killed. */
  readonly killAfter: number;
}

/** Somebody who waited. */
export interface Waiter {
  /** In the order of arrival. */
  readonly number: number;
  readonly id: string;
  /** By the store's clock. */
  readonly readyAtMs: number;
  readonly assignedAtMs: number;
  /** What they were told on the way, and what came. */
  readonly told: readonly { readonly position: number; readonly etaMs: number; readonly cameAfterMs: number }[];
}

interface Answer {
  readonly id?: string;
  readonly place?: string;
  readonly position?: number;
  readonly eta_seconds?: number | null;
}

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/**
 * People in one line at two servers, in front of a pool that keeps none ready and whose engine brings one up at a time.
 * Half of them come to each server; one of the servers is killed on the way, and its people go to the other. They are
 * returned in the order in which they were served.
 */
export async function standInLine(options: LineOptions): Promise<readonly Waiter[]> {
  const cleanups = new Cleanups('the line');
  try {
    const { servers, valkeyAddress } = await startServers(options, cleanups);
    const line = new Line(servers);
    const served: Promise<void>[] = [];
    for (let number = 1; number <= options.waiters; number += 1) served.push(...(await line.join(number)));
    await line.until(options.killAfter);
    servers[0]?.process.signal('SIGKILL');
    await Promise.all(served);
    const records = await readRecords(valkeyAddress);
    return line.served.map((person): Waiter => {
      const record = records.get(person.id);
      if (record === undefined) throw new Error(`nothing is recorded of ${person.id}`);
      return { ...person, readyAtMs: record.readyAtMs, assignedAtMs: record.assignedAtMs };
    });
  } finally {
    await cleanups[Symbol.asyncDispose]();
  }
}

/**
 * Those who were served with what somebody ahead of them waited for: at that moment there were fewer ready instances
 * than people who stood ahead and themselves.
 */
export function passed(served: readonly Waiter[]): readonly number[] {
  return served
    .filter(({ number, assignedAtMs }) => {
      const ready = served.filter((other) => other.readyAtMs <= assignedAtMs).length;
      const taken = served.filter((other) => other.assignedAtMs < assignedAtMs).length;
      const ahead = served.filter((other) => other.number < number && other.assignedAtMs > assignedAtMs).length;
      return ready - taken <= ahead;
    })
    .map(({ number }) => number);
}

interface Recorded {
  readonly readyAtMs: number;
  readonly assignedAtMs: number;
}

async function readRecords(address: string): Promise<ReadonlyMap<string, Recorded>> {
  const valkey = new Valkey(`redis://${address}`);
  try {
    const texts = Object.entries(await valkey.hgetall('instances'));
    return new Map(texts.map(([id, text]) => [id, JSON.parse(text) as Recorded]));
  } finally {
    valkey.disconnect();
  }
}

interface Server {
  readonly api: string;
  readonly process: ChildServer;
}

/** Those who wait, each listening at a server, and asking the other when theirs does not answer. */
class Line {
  readonly served: Omit<Waiter, 'readyAtMs' | 'assignedAtMs'>[] = [];
  readonly #servers: readonly Server[];
  #watching: { readonly count: number; readonly reached: () => void } | undefined;

  constructor(servers: readonly Server[]) {
    this.#servers = servers;
  }

  /** Resolves when this one stands in the line; what it resolves with ends when they were served. */
  async join(number: number): Promise<readonly [Promise<void>]> {
    const told: { readonly position: number; readonly etaMs: number; readonly atMs: number }[] = [];
    const note = ({ position = 0, eta_seconds: eta }: Answer): void => {
      if (eta !== null && eta !== undefined) told.push({ position, etaMs: eta * 1_000, atMs: performance.now() });
    };
    const first = await this.#ask(number, undefined);
    note(first);
    const served = (answer: Answer): void => {
      const servedAtMs = performance.now();
      this.served.push({
        number,
        id: answer.id ?? '',
        told: told.map(({ position, etaMs, atMs }) => ({ position, etaMs, cameAfterMs: servedAtMs - atMs })),
      });
      if (this.#watching !== undefined && this.served.length >= this.#watching.count) this.#watching.reached();
    };
    const wait = async (): Promise<void> => {
      for (let answer = first; ; answer = await this.#ask(number, answer.place)) {
        if (answer.id !== undefined) {
          served(answer);
          return;
        }
        await this.#listen(number, answer.place ?? '', note);
      }
    };
    return [wait()];
  }

  /** Resolves once so many were served. */
  async until(count: number): Promise<void> {
    if (this.served.length >= count) return;
    await new Promise<void>((reached) => {
      this.#watching = { count, reached };
    });
  }

  async #ask(number: number, place: string | undefined): Promise<Answer> {
    return this.#atEither(number, async (api) => {
      const answer = await fetch(`${api}/api/v1/waiting`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(place === undefined ? {} : { place }),
      });
      if (!answer.ok) throw new Error(`waiting was answered with ${answer.status}: ${await answer.text()}`);
      return (await answer.json()) as Answer;
    });
  }

  /** Until the turn has come, or the server is gone. */
  async #listen(number: number, place: string, note: (answer: Answer) => void): Promise<void> {
    try {
      await this.#atEither(number, async (api) => {
        for await (const { event, data } of readEvents(await fetch(`${api}/api/v1/waiting/${place}/events`))) {
          if (event !== 'place') return;
          note(data);
        }
      });
    } catch {
      // The next question finds out.
    }
  }

  async #atEither<T>(number: number, work: (api: string) => Promise<T>): Promise<T> {
    const [own, other] = number % 2 === 0 ? this.#servers : this.#servers.toReversed();
    if (own === undefined || other === undefined) throw new Error('there are two servers');
    try {
      return await work((own.process.alive ? own : other).api);
    } catch {
      // Its connections break before its end is noticed.
      return await work(other.api);
    }
  }
}

async function startServers(
  { waiters, everyMs }: LineOptions,
  cleanups: Cleanups,
): Promise<{ readonly servers: readonly Server[]; readonly valkeyAddress: string }> {
  const dir = await ownFolder(cleanups, 'try-it-now-line-');
  const backing = await launchBacking(dir, cleanups);
  const engine = await launchSimulatedEngine({ socketPath: join(dir, 'engine.sock') });
  cleanups.push(() => engine[Symbol.asyncDispose]());
  const instances = await claimPorts(waiters + 20);
  cleanups.push(() => instances[Symbol.asyncDispose]());
  const ports = [await drawPorts(), await drawPorts()] as const;
  const templatesFile = join(dir, 'templates.yaml');
  await writeFile(templatesFile, stringify({ templates: [templateOf(waiters, everyMs)] }));
  const env = {
    CONTAINER_MODE: 'simulated',
    SIMULATED_SOCKET: engine.socketPath,
    CRIU_ENABLED: 'false',
    TEMPLATES_FILE: templatesFile,
    ...addressesOf(backing),
    ...ownSettings(ports[0], instances),
  };
  const discovery = await ChildServer.start({
    name: 'discovery',
    command: process.execPath,
    args: [MAIN, 'discovery'],
    env,
    saysUp: 'Discovery answers',
  });
  cleanups.push(() => discovery.stop());
  cleanups.push(() => removeContainers('simulated', loadConfig(env).config));
  const servers: Server[] = [];
  for (const { server, admin } of ports) {
    const api = `http://127.0.0.1:${server}`;
    const child = await ChildServer.start({
      name: 'server',
      command: process.execPath,
      args: [MAIN, 'serve'],
      env: { ...env, SERVER_PORT: String(server), ADMIN_ADDR: `127.0.0.1:${admin}` },
      isUp: async () => (await fetch(`${api}/health`)).ok,
    });
    cleanups.push(() => child.stop());
    servers.push({ api, process: child });
  }
  return { servers, valkeyAddress: backing.valkey.address };
}

/** None are kept ready. */
function templateOf(waiters: number, everyMs: number) {
  return {
    name: 'line',
    title: 'Line',
    image: 'localhost/unused',
    port: 80,
    env: { SIMULATED_EVERY_MS: String(everyMs) },
    readiness: { path: '/', timeout: '120s' },
    pool: { target: 0, max: waiters + 10 },
  };
}

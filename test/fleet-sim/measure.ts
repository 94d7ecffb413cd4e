import { detectDrift } from '../../src/pool/detect-drift.ts';
import { sleep } from '../../src/lifecycle/sleep.ts';
import { median, percentile } from '../bench/figures.ts';
import { acquireInSequence, releaseInSequence } from '../bench/load.ts';
import { acquireAtOnce } from './load.ts';
import { Cleanups } from '../support/deployment.ts';
import { memoryBytes, processorSeconds, trafficBytes } from '../support/process-use.ts';
import { halveProcessors } from './processors.ts';
import type { Part, SimulatedFleet } from './simulated-fleet.ts';

/** What a visitor waits for, and what a real fleet has on other hosts. */
const AT_THE_SERVER = ['Valkey', 'server', 'discovery', 'Caddy'] as const satisfies Part[];
const ELSEWHERE = ['NATS', 'worker', 'engine'] as const satisfies Part[];
export const PARTS = [...AT_THE_SERVER, ...ELSEWHERE] as const;
type ByPart = Readonly<Record<Part, number>>;

interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** A pool, and the smallest one at the same time. */
interface Compared<T> {
  readonly fleet: T;
  readonly single: T;
}

export interface StepResult {
  readonly nodes: number;
  readonly instances: number;
  /** Of what this step added. */
  readonly refill: { readonly perSecond: number; readonly processorMs: ByPart };
  readonly acquire: Compared<Latency>;
  readonly acquirePerSecond: Compared<number>;
  /** Of an acquire, its release, cleanup and refill: what an instance costs altogether. */
  readonly cycleMs: ByPart;
  readonly atRest: {
    /** Share of one processor. */
    readonly processors: ByPart;
    readonly valkeyCommandsPerSecond: number;
    /** Of one node. */
    readonly bytesPerSecond: { readonly valkey: number; readonly nats: number };
  };
  readonly reconcileMs: { readonly server: number; readonly node: number };
  readonly memoryBytes: ByPart;
  readonly valkeyBytes: number;
}

interface Amounts {
  /** Of bursts, one of the fleet and one of the single node each time. */
  readonly rounds: number;
  readonly burst: number;
  readonly atOnce: number;
  readonly restMs: number;
  /** How far it is. */
  readonly say: (line: string) => void;
}

const CONNECTIONS = 64;
const PEAK_ROUNDS = 3;

/** Fills up to `instances`, and measures. Everything is as it was found but for the target. */
export async function measureStep(
  { fleet, single }: Compared<SimulatedFleet>,
  targets: Compared<number>,
  amounts: Amounts,
): Promise<StepResult> {
  const before = (await fleet.counts()).ready;
  const { say } = amounts;
  const [filling, refillMs] = await timed(() => use(fleet, () => fleet.fill(targets.fleet)));
  const added = targets.fleet - before;
  say(`  ${added} instances made in ${Math.round(refillMs / 1_000)} s; nobody comes for a while …`);
  const atRest = await rest(fleet, amounts.restMs);
  say('  Visitors come one after another …');
  const visits = await use(fleet, () => bursts({ fleet, single }, targets, amounts));
  const acquires = amounts.rounds * amounts.burst;
  say('  Visitors come at once …');
  const acquirePerSecond = await peaks({ fleet, single }, targets, amounts.atOnce);
  say('  Looking for drift …');
  return {
    nodes: fleet.nodes,
    instances: targets.fleet,
    refill: { perSecond: added / (refillMs / 1_000), processorMs: each((part) => (filling.of[part] / added) * 1_000) },
    acquire: visits.result,
    cycleMs: each(
      (part) => Math.max(0, visits.of[part] - atRest.processors[part] * visits.seconds) * (1_000 / acquires),
    ),
    acquirePerSecond,
    atRest,
    reconcileMs: { server: await reconcileMs(fleet, 'server'), node: await reconcileMs(fleet, 'node') },
    memoryBytes: await ofParts((part) => memoryBytes(fleet.pids(part))),
    valkeyBytes: Number(/^used_memory:(\d+)/m.exec(await fleet.valkey.info('memory'))?.[1]),
  };
}

/** In turns, so that the machine's moods fall on both alike; each pool is whole again before the other's turn. */
async function bursts(
  fleets: Compared<SimulatedFleet>,
  targets: Compared<number>,
  { rounds, burst }: Amounts,
): Promise<Compared<Latency>> {
  const samples: Compared<number[]> = { fleet: [], single: [] };
  for (let round = 0; round < rounds; round += 1) {
    for (const which of round % 2 === 0 ? (['fleet', 'single'] as const) : (['single', 'fleet'] as const)) {
      const { api } = fleets[which];
      const { latenciesMs, acquired } = await undisturbed(fleets, () => acquireInSequence(api, burst));
      samples[which].push(...latenciesMs);
      await releaseInSequence(
        api,
        acquired.map(({ id }) => id),
      );
      await fleets[which].settled(targets[which]);
    }
  }
  const latency = (of: readonly number[]): Latency => ({ p50Ms: median(of), p99Ms: percentile(of, 0.99) });
  return { fleet: latency(samples.fleet), single: latency(samples.single) };
}

/** By what a real fleet has on other hosts: that goes on, on processors of its own. */
async function undisturbed<T>({ fleet, single }: Compared<SimulatedFleet>, work: () => Promise<T>): Promise<T> {
  await using cleanups = new Cleanups('processors');
  const pids = (parts: readonly Part[]): number[] =>
    [fleet, single].flatMap((each) => parts.flatMap((part) => each.pids(part)));
  cleanups.push(await halveProcessors([...pids(AT_THE_SERVER), process.pid], pids(ELSEWHERE)));
  return await work();
}

async function peaks(
  fleets: Compared<SimulatedFleet>,
  targets: Compared<number>,
  count: number,
): Promise<Compared<number>> {
  const rates: Compared<number[]> = { fleet: [], single: [] };
  for (let round = 0; round < PEAK_ROUNDS; round += 1) {
    for (const which of ['fleet', 'single'] as const) {
      const { api } = fleets[which];
      const { perSecond, ids } = await acquireAtOnce(api, count, CONNECTIONS);
      rates[which].push(perSecond);
      await releaseInSequence(api, ids);
      await fleets[which].settled(targets[which]);
    }
  }
  return { fleet: median(rates.fleet), single: median(rates.single) };
}

/** Nobody comes: what it costs to have so many nodes and instances. */
async function rest(fleet: SimulatedFleet, forMs: number): Promise<StepResult['atRest']> {
  const commands = async () =>
    Number(/^total_commands_processed:(\d+)/m.exec(await fleet.valkey.info('stats'))?.[1] ?? NaN);
  const [worker] = fleet.pids('worker');
  if (worker === undefined) throw new Error('there is no node');
  const traffic = async () => ({
    valkey: await trafficBytes(worker, [fleet.ports.valkey]),
    nats: await trafficBytes(worker, fleet.ports.nats),
  });
  const [commandsBefore, before] = [await commands(), await traffic()];
  const { of, seconds } = await use(fleet, () => sleep(forMs));
  const after = await traffic();
  return {
    processors: each((part) => of[part] / seconds),
    valkeyCommandsPerSecond: ((await commands()) - commandsBefore) / seconds,
    bytesPerSecond: {
      valkey: (after.valkey - before.valkey) / seconds,
      nats: (after.nats - before.nats) / seconds,
    },
  };
}

async function reconcileMs(fleet: SimulatedFleet, of: 'server' | 'node'): Promise<number> {
  const context = await fleet.reconcileContext(of);
  try {
    const [{ unchecked, findings }, ms] = await timed(() => detectDrift(context, of === 'server' ? 'all' : 'node'));
    const [problem] = [...unchecked.map(({ error }) => error), ...findings.map(({ what, why }) => `${what}: ${why}`)];
    if (problem !== undefined) throw new Error('there is something to reconcile', { cause: problem });
    return ms;
  } finally {
    await context.close();
  }
}

/** The seconds of processors that the parts used meanwhile. */
async function use<T>(
  fleet: SimulatedFleet,
  work: () => Promise<T>,
): Promise<{ readonly of: ByPart; readonly seconds: number; readonly result: T }> {
  const before = await ofParts((part) => processorSeconds(fleet.pids(part)));
  const [result, ms] = await timed(work);
  const after = await ofParts((part) => processorSeconds(fleet.pids(part)));
  return { of: each((part) => after[part] - before[part]), seconds: ms / 1_000, result };
}

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const startedAt = performance.now();
  return [await work(), performance.now() - startedAt];
}

function each(value: (part: Part) => number): ByPart {
  return Object.fromEntries(PARTS.map((part) => [part, value(part)])) as ByPart;
}

async function ofParts(value: (part: Part) => Promise<number>): Promise<ByPart> {
  const entries = await Promise.all(PARTS.map(async (part) => [part, await value(part)] as const));
  return Object.fromEntries(entries) as ByPart;
}

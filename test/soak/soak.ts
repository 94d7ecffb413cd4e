import { setMaxListeners } from 'node:events';
import { describeError } from '../../src/domain/errors.ts';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { sleep } from '../../src/lifecycle/sleep.ts';
import { startWorld, type World } from '../drills/outage-world.ts';
import { discrepanciesSoFar } from '../support/state-audit.ts';
import { eventually } from '../support/eventually.ts';
import { silent } from '../support/store.ts';
import { randomFrom, wreakHavoc } from './chaos.ts';
import { judgeTrends, type Trend } from './flatness.ts';
import { Load } from './load.ts';
import { PROCESSES, takeSample, type Sample } from './samples.ts';

export interface SoakOptions {
  /** Of visits. Starting and coming to rest are on top, a minute or two. */
  readonly durationMs: number;
  readonly arrivalsPerSecond: number;
  readonly sampleEveryMs: number;
  readonly killEveryMs: number;
  readonly target: number;
  readonly seed: number;
  /** Ends it early, and cleanly. */
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

export interface SoakOutcome {
  readonly trends: readonly Trend[];
  /** What visitors met, and what was struck, with how often. */
  readonly counts: ReadonlyMap<string, number>;
  readonly blows: ReadonlyMap<string, number>;
  /** At rest before the first visitor, and after the last. */
  readonly before: Sample;
  readonly after: Sample;
  /** Everything that is not as it should be, in words. */
  readonly wrongs: readonly string[];
}

/** Any part may be killed for this share of the time; from then on only instances are. */
const HAVOC_SHARE = 0.55;
/** Longer than the queue waits for a worker that died, the longest stay, and a reconcile. */
const REST_MS = 150_000;
/** Caddy keeps an idle connection for two minutes. */
const CLOSING_MS = 130_000;
/** Indexes that may have been empty then and hold something now, such as the cooling ports. */
const LASTING_INDEXES = 4;
/** At rest nobody has a connection open but the parts among themselves. */
const REST_DESCRIPTORS = 6;

/** Everything for real but the containers, under steady visits and random kills; then it is left alone, and checked. */
export async function soak(options: SoakOptions): Promise<SoakOutcome> {
  const { durationMs, seed, signal, say, target } = options;
  const releasers = new Releasers();
  try {
    const world = await startWorld(
      {
        engine: 'simulated',
        target,
        max: target * 6,
        workers: 8,
        databases: false,
        ports: 500,
        app: { ttl: { default: '3s', max: '8s' }, max_age: '30s' },
        env: { QUEUE_ACK_WAIT: '10s', POOL_REPLENISH_INTERVAL: '1s' },
      },
      releasers,
    );
    await atRest(world, signal);
    const before = await takeSample(world);
    const samples: Sample[] = [];
    const blows = new Map<string, number>();
    const load = new Load(world, randomFrom(seed));
    const [over, calm] = [after(durationMs, signal, releasers), after(durationMs * HAVOC_SHARE, signal, releasers)];
    await Promise.all([
      load.run(options.arrivalsPerSecond, over),
      wreakHavoc(world, randomFrom(seed + 1), {
        everyMs: options.killEveryMs,
        calm,
        until: over,
        told: (blow) => {
          blows.set(blow, (blows.get(blow) ?? 0) + 1);
        },
      }),
      watch(world, options, over, samples, load, blows),
    ]);
    const trends = judgeTrends(samples);
    say('Nobody comes any more; waiting until everything is at rest.');
    const restless = await atRest(world, signal).then(
      () => [],
      (error: unknown) => [`not at rest: ${describeError(error)}`, world.serverLog()],
    );
    const { last, left } = await leftOpen(world, before);
    const wrongs = [
      ...load.wrongs,
      ...restless,
      ...trends.filter(({ flat }) => !flat).map(({ what, first, last: end }) => `${what} grew from ${first} to ${end}`),
      ...left,
    ];
    return {
      trends,
      counts: load.counts,
      blows,
      before,
      after: last,
      wrongs: signal.aborted ? [...load.wrongs] : wrongs,
    };
  } finally {
    await releasers.releaseAll(silent);
  }
}

/** Aborted by then. Node forgets timeouts of AbortSignal that only AbortSignal.any refers to. */
function after(ms: number, signal: AbortSignal, releasers: Releasers): AbortSignal {
  const over = new AbortController();
  setMaxListeners(0, over.signal);
  const end = (): void => over.abort();
  const timer = setTimeout(end, ms);
  signal.addEventListener('abort', end);
  releasers.push('timer', () => clearTimeout(timer));
  return over.signal;
}

async function watch(
  world: World,
  { sampleEveryMs, say, durationMs }: SoakOptions,
  over: AbortSignal,
  samples: Sample[],
  load: Load,
  blows: ReadonlyMap<string, number>,
): Promise<void> {
  const startedAt = performance.now();
  for (let round = 1; !over.aborted; round += 1) {
    await sleep(sampleEveryMs, over).catch(() => undefined);
    const sample = await takeSample(world);
    samples.push(sample);
    if (round % 6 !== 0) continue;
    const sizes = [...sample.processes]
      .map(([name, { rssBytes, descriptors }]) => `${name} ${Math.round(rssBytes / 2 ** 20)} MiB/${descriptors}`)
      .join(', ');
    const seconds = Math.round((performance.now() - startedAt) / 1_000);
    say(
      `${seconds} of ${Math.round(durationMs / 1_000)} s: ${list(load.counts)}; struck: ${list(blows)}; ` +
        `${sizes}; keys ${sample.store?.lastingKeys ?? '?'}+${sample.store?.expiringKeys ?? '?'}`,
    );
  }
}

export function list(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([what, count]) => `${count} ${what}`).join(', ') || 'nothing yet';
}

async function atRest(world: World, signal: AbortSignal): Promise<void> {
  await eventually(
    async () => {
      if (signal.aborted) return;
      const problems = await discrepanciesSoFar(world.auditTarget);
      const held = (await takeSample(world)).store === undefined ? ['the store does not answer'] : [];
      if (problems.length + held.length > 0) throw new Error([...problems, ...held].join('\n'));
    },
    { timeoutMs: REST_MS, everyMs: 500 },
  );
}

/**
 * Connections are kept alive for a while after their last use, so what is open is checked until it is as before or the
 * patience is over.
 */
async function leftOpen(
  world: World,
  before: Sample,
): Promise<{ readonly last: Sample; readonly left: readonly string[] }> {
  const look = async (): Promise<{ last: Sample; left: string[] }> => {
    const last = await takeSample(world);
    return { last, left: leftAtRest(before, last) };
  };
  return eventually(
    async () => {
      const seen = await look();
      if (seen.left.length > 0) throw new Error(seen.left.join('\n'));
      return seen;
    },
    { timeoutMs: CLOSING_MS, everyMs: 1_000 },
  ).catch(look);
}

function leftAtRest(before: Sample, after: Sample): string[] {
  const wrongs: string[] = [];
  for (const name of PROCESSES) {
    const [first, last] = [before.processes.get(name)?.descriptors, after.processes.get(name)?.descriptors];
    if (first === undefined || last === undefined) wrongs.push(`${name} is not running`);
    else if (last - first > REST_DESCRIPTORS)
      wrongs.push(`${name} has ${last} descriptors open at rest, ${first} before the first visitor`);
  }
  const [first, last] = [before.store?.lastingKeys ?? 0, after.store?.lastingKeys ?? 0];
  if (last - first > LASTING_INDEXES) wrongs.push(`${last} lasting keys at rest, ${first} before the first visitor`);
  return wrongs;
}

import { PROCESSES, type ProcessName, type ProcessSample, type Sample } from './samples.ts';

/** One measured thing, over the longest life of what it was measured at. */
export interface Trend {
  readonly what: string;
  readonly unit: 'MiB' | '';
  /** Of how many samples the quarters are made, and how long the measured part lasted. */
  readonly seconds: number;
  readonly first: number;
  readonly last: number;
  /** How far the last quarter's median may lie above the first's. */
  readonly allowance: number;
  readonly flat: boolean;
}

const MIB = 1_024 * 1_024;
/** Of each life: pools are filled, code is compiled, buffers and heaps reach their working size. */
const WARM_UP_SHARE = 0.25;
/** Fewer samples say nothing. */
const LEAST_SAMPLES = 8;

/**
 * What a garbage collector or an allocator may hold more at one time than at another without any of it being lost. A
 * leak of a kilobyte a visit would be 5 MiB in ten minutes of this load, one of a descriptor a visit thousands.
 */
const ALLOWED = {
  rss: 12 * MIB,
  heap: 8 * MIB,
  descriptors: 12,
  lastingKeys: 3,
  expiringKeys: 100,
  storeMemory: 2 * MIB,
  tasks: 20,
} as const;

/** Whether things ended as they began: the medians of the last and the first quarter of each life, warm-up left out. */
export function judgeTrends(samples: readonly Sample[]): Trend[] {
  return [
    ...PROCESSES.flatMap((name) => ofProcess(samples, name)),
    trend(
      'Valkey keys that last',
      '',
      pick(samples, ({ store }) => store?.lastingKeys),
      ALLOWED.lastingKeys,
    ),
    trend(
      'Valkey keys that expire',
      '',
      pick(samples, ({ store }) => store?.expiringKeys),
      ALLOWED.expiringKeys,
    ),
    trend(
      'Valkey used memory',
      'MiB',
      pick(longestLife(samples, 'valkey'), ({ store }) => store?.memoryBytes),
      ALLOWED.storeMemory,
    ),
    trend(
      'tasks in NATS',
      '',
      pick(samples, ({ tasks }) => tasks),
      ALLOWED.tasks,
    ),
    trend(
      'dead tasks in NATS',
      '',
      pick(samples, ({ deadTasks }) => deadTasks),
      0,
    ),
  ].flatMap((one) => one ?? []);
}

function ofProcess(samples: readonly Sample[], name: ProcessName): (Trend | undefined)[] {
  const life = longestLife(samples, name);
  const of = (value: (process: ProcessSample) => number | undefined) =>
    pick(life, ({ processes }) => {
      const process = processes.get(name);
      return process === undefined ? undefined : value(process);
    });
  return [
    trend(
      `${name} resident memory`,
      'MiB',
      of(({ rssBytes }) => rssBytes),
      ALLOWED.rss,
    ),
    trend(
      `${name} heap`,
      'MiB',
      of(({ heapBytes }) => heapBytes),
      ALLOWED.heap,
    ),
    trend(
      `${name} descriptors`,
      '',
      of(({ descriptors }) => descriptors),
      ALLOWED.descriptors,
    ),
  ];
}

/** A process that was killed starts again: its longest life is the one that says most. */
function longestLife(samples: readonly Sample[], name: ProcessName): readonly Sample[] {
  const lives = new Map<number, Sample[]>();
  for (const sample of samples) {
    const pid = sample.processes.get(name)?.pid;
    if (pid !== undefined) lives.set(pid, [...(lives.get(pid) ?? []), sample]);
  }
  return [...lives.values()].reduce((longest, life) => (life.length > longest.length ? life : longest), []);
}

type Reading = readonly [atMs: number, value: number];

function pick(samples: readonly Sample[], value: (sample: Sample) => number | undefined): Reading[] {
  return samples.flatMap((sample) => {
    const found = value(sample);
    return found === undefined ? [] : [[sample.atMs, found] as const];
  });
}

function trend(what: string, unit: Trend['unit'], readings: readonly Reading[], allowance: number): Trend | undefined {
  const warm = readings.slice(Math.floor(readings.length * WARM_UP_SHARE));
  const [begin, end] = [warm[0], warm.at(-1)];
  if (warm.length < LEAST_SAMPLES || begin === undefined || end === undefined) return undefined;
  const quarter = Math.max(2, Math.floor(warm.length / 4));
  const first = median(warm.slice(0, quarter));
  const last = median(warm.slice(-quarter));
  return {
    what,
    unit,
    seconds: Math.round((end[0] - begin[0]) / 1_000),
    first,
    last,
    allowance,
    flat: last - first <= allowance,
  };
}

function median(readings: readonly Reading[]): number {
  const sorted = readings.map(([, value]) => value).sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = 0, high = 0] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[middle]];
  return (low + high) / 2;
}

export function trendTable(trends: readonly Trend[]): string {
  const show = (value: number, unit: Trend['unit']): string =>
    unit === 'MiB' ? `${(value / MIB).toFixed(1)} MiB` : String(value);
  const rows = trends.map(
    ({ what, unit, seconds, first, last, allowance, flat }) =>
      `| ${what} | ${seconds} s | ${show(first, unit)} | ${show(last, unit)} | ${show(allowance, unit)} | ` +
      `${flat ? 'flat' : '**grows**'} |`,
  );
  return [
    '| what | over | first quarter | last quarter | may grow by | verdict |',
    '|---|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

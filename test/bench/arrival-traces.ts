/** Clicks of the kinds that a pool meets, made of a seed: the same at each run. Times in ms from the begin. */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export interface ArrivalTrace {
  readonly name: string;
  readonly clicks: readonly number[];
  readonly durationMs: number;
  /** From here on it counts; before, there is only something to remember. */
  readonly measuredFromMs: number;
  /** Of one start, and how many go on at once. */
  readonly startMs: number;
  readonly startsAtOnce: number;
  /** Whether each class is told of beforehand. */
  readonly events: readonly { readonly fromMs: number; readonly toMs: number; readonly target: number }[];
}

/** Mulberry32: small, and good enough to draw arrivals. */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A Poisson process whose rate (clicks a minute) changes, by thinning (Lewis and Shedler, 1979). */
function poisson(durationMs: number, most: number, rateAt: (ms: number) => number, random: () => number): number[] {
  const clicks: number[] = [];
  for (let at = 0; ;) {
    at += (-Math.log(1 - random()) * MINUTE_MS) / most;
    if (at >= durationMs) return clicks;
    if (random() * most < rateAt(at)) clicks.push(at);
  }
}

/**
 * Three quiet days, and on the second at 14:00 the front page of a news site: from one click in ten minutes to forty a
 * minute within six minutes, then half of that every forty minutes.
 */
export function launchSpike(): ArrivalTrace {
  const launchMs = DAY_MS + 14 * HOUR_MS;
  const climbMs = 6 * MINUTE_MS;
  const rateAt = (ms: number): number => {
    const sinceMs = ms - launchMs;
    if (sinceMs < 0) return 0.1;
    return 0.1 + 40 * (sinceMs < climbMs ? sinceMs / climbMs : 2 ** (-(sinceMs - climbMs) / (40 * MINUTE_MS)));
  };
  const durationMs = 3 * DAY_MS;
  const clicks = poisson(durationMs, 41, rateAt, randomOf(1));
  return {
    ...{ name: 'a launch', clicks, durationMs, measuredFromMs: 0 },
    ...{ startMs: 8_000, startsAtOnce: 8, events: [] },
  };
}

/** Two weeks of five working days: up from eight o'clock, a dip at noon, down by six; the second week counts. */
export function officeHours(): ArrivalTrace {
  const shape = [0.02, 0.02, 0.02, 0.02, 0.02, 0.05, 0.1, 0.3, 0.8, 1, 1, 0.9, 0.6, 0.9, 1, 0.9, 0.7, 0.4, 0.2, 0.1];
  const rateAt = (ms: number): number => {
    const weekday = Math.floor(ms / DAY_MS) % 7;
    const share = shape[Math.floor((ms % DAY_MS) / HOUR_MS)] ?? 0.05;
    return 6 * (weekday < 5 ? share : 0.05);
  };
  const durationMs = 14 * DAY_MS;
  const clicks = poisson(durationMs, 6, rateAt, randomOf(2));
  return {
    ...{ name: 'office hours', clicks, durationMs, measuredFromMs: 7 * DAY_MS },
    ...{ startMs: 20_000, startsAtOnce: 4, events: [] },
  };
}

/** On each working day of three weeks at nine, thirty people within a minute and a half, and a few through the day. */
export function classAtNine(told: boolean): ArrivalTrace {
  const random = randomOf(3);
  const durationMs = 21 * DAY_MS;
  const few = poisson(durationMs, 0.2, (ms) => (isLesson(ms) ? 0.2 : 0.01), random);
  const begins = Array.from({ length: 21 }, (_, day) => day)
    .filter((day) => day % 7 < 5)
    .map((day) => day * DAY_MS + 9 * HOUR_MS);
  const classes = begins.flatMap((begin) => Array.from({ length: 30 }, () => begin + random() * 90_000));
  return {
    name: told ? 'a class, with events' : 'a class, from the second week on',
    clicks: [...few, ...classes].sort((a, b) => a - b),
    durationMs,
    measuredFromMs: told ? 0 : 7 * DAY_MS,
    ...{ startMs: 20_000, startsAtOnce: 4 },
    events: told ? begins.map((begin) => ({ fromMs: begin, toMs: begin + 10 * MINUTE_MS, target: 30 })) : [],
  };
}

function isLesson(ms: number): boolean {
  const hour = (ms % DAY_MS) / HOUR_MS;
  return Math.floor(ms / DAY_MS) % 7 < 5 && hour >= 9 && hour < 17;
}

/** Somebody who comes, uses an instance for a while, and goes. Times in ms of the trace. */
export interface TracedVisit {
  readonly atMs: number;
  /** From the first to the last request. */
  readonly usesForMs: number;
  /** Whether they end it with the button; most just leave. */
  readonly ends: boolean;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** On an ordinary hour. */
const VISITS_PER_HOUR = 60;
/** Somebody links to the page: so many times as many visitors, and fewer again with this half-life. */
const LINKED_AT_MS = 40 * MINUTE_MS;
const LINKED_FACTOR = 5;
const LINKED_HALF_LIFE_MS = 10 * MINUTE_MS;
/** Long-tailed, as visits are: half of them are over in 3 minutes, one of twenty lasts longer than 20. */
const MEDIAN_MS = 3 * MINUTE_MS;
const SPREAD = 1.15;
const SHORTEST_MS = 5_000;
const LONGEST_MS = 2 * HOUR_MS;
const ENDS_SHARE = 0.15;

/** The same for the same seed: arrivals at random, their rate as above, and how long each stays. */
export function visitTrace(lengthMs: number, seed: number): readonly TracedVisit[] {
  const random = randomNumbers(seed);
  const visits: TracedVisit[] = [];
  const peakMs = HOUR_MS / (VISITS_PER_HOUR * LINKED_FACTOR);
  for (let atMs = 0; ;) {
    atMs += -Math.log(1 - random()) * peakMs;
    if (atMs >= lengthMs) return visits;
    const keep = random();
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const ends = random() < ENDS_SHARE;
    if (keep >= factorAt(atMs) / LINKED_FACTOR) continue;
    const usesForMs = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, MEDIAN_MS * Math.exp(SPREAD * normal)));
    visits.push({ atMs, usesForMs, ends });
  }
}

function factorAt(atMs: number): number {
  if (atMs < LINKED_AT_MS) return 1;
  return 1 + (LINKED_FACTOR - 1) * 0.5 ** ((atMs - LINKED_AT_MS) / LINKED_HALF_LIFE_MS);
}

/** Between 0 and 1; mulberry32. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Milliseconds since the Unix epoch. State transitions use the store's clock; this one is for
 * what never leaves the process.
 */
export interface Clock {
  now(): number;
}

export const systemClock: Clock = { now: () => Date.now() };

/** Milliseconds since some moment that only go forward: how long something lasts, however the time of day is set. */
export interface SteadyClock {
  passedMs(): number;
}

export const steadyClock: SteadyClock = { passedMs: () => performance.now() };

import { setTimeout as delay } from 'node:timers/promises';

/** Resolves after `ms`, or at once when the signal is or becomes aborted. Never rejects. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
  } catch {
    // The only rejection is the abort, and being woken early is what the caller asked for.
  }
}

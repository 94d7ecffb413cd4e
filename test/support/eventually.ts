import { sleep } from '../../src/lifecycle/sleep.ts';

/** The pauses at first and after a second: each look takes from what is waited for. */
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 60;
const GROWTH = 1.05;

/** Runs `attempt` again until it does not throw; then, or at the time limit, its last outcome is the outcome. */
export async function eventually<T>(
  attempt: () => T | Promise<T>,
  { timeoutMs = 60_000, everyMs }: { readonly timeoutMs?: number; readonly everyMs?: number } = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let pauseMs = FIRST_PAUSE_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() >= deadline) throw error;
      await sleep(everyMs ?? pauseMs);
      pauseMs = Math.min(pauseMs * GROWTH, LONGEST_PAUSE_MS);
    }
  }
}

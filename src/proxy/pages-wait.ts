import type { SteadyClock } from '../domain/clock.ts';
import type { PagesWait } from '../pool/interfaces/pages-wait.ts';

/** For who has no store: as long as this process runs. */
export function waitInMemory(clock: SteadyClock): PagesWait {
  let sinceMs: number | undefined;
  return {
    waitedMs: () => Promise.resolve(clock.passedMs() - (sinceMs ??= clock.passedMs())),
    end: () => {
      sinceMs = undefined;
      return Promise.resolve();
    },
  };
}

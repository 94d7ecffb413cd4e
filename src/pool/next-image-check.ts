import { Cron } from 'croner';
import type { ImageCheck } from '../domain/image-check.ts';

/** By so much the clocks of hosts that keep time may differ. */
const APART_MS = 60_000;

/**
 * When an image is looked for next under its name; undefined: only when somebody asks. A last time that is still to
 * come was noted while a clock was ahead, and says nothing.
 */
export function nextImageCheckMs(
  checks: readonly ImageCheck[],
  times: { readonly lastMs: number | undefined; readonly sinceMs: number; readonly nowMs: number },
): number | undefined {
  const { sinceMs, nowMs } = times;
  const lastMs = times.lastMs !== undefined && times.lastMs <= nowMs + APART_MS ? times.lastMs : undefined;
  const next = checks.flatMap((check): number[] => {
    switch (check.kind) {
      case 'manual':
        return [];
      case 'every':
        return [lastMs === undefined ? sinceMs : lastMs + check.everyMs];
      case 'cron':
        return new Cron(check.cron, { timezone: 'UTC', paused: true })
          .nextRuns(1, new Date(lastMs ?? sinceMs))
          .map((at) => at.getTime());
    }
  });
  return next.length === 0 ? undefined : Math.min(...next);
}

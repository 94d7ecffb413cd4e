import { Cron } from 'croner';
import type { ImageCheck } from '../domain/image-check.ts';

/** When an image is looked for next under its name; undefined: only when somebody asks. */
export function nextImageCheckMs(
  checks: readonly ImageCheck[],
  { lastMs, sinceMs }: { readonly lastMs: number | undefined; readonly sinceMs: number },
): number | undefined {
  const times = checks.flatMap((check): number[] => {
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
  return times.length === 0 ? undefined : Math.min(...times);
}

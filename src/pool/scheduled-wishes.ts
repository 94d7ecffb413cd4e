import { Cron } from 'croner';
import type { ScheduleEntry, Wish } from '../domain/pool-size.ts';

interface Known {
  /** Until the next begin nothing changes. */
  readonly untilMs: number;
  readonly wishes: readonly Wish[];
}

/** What schedules of templates want around now; each entry is looked up again once its next begin has come. */
export class ScheduledWishes {
  readonly #known = new WeakMap<ScheduleEntry, Known>();

  at(entries: readonly ScheduleEntry[], nowMs: number): readonly Wish[] {
    return entries.flatMap((entry) => {
      const known = this.#known.get(entry);
      if (known !== undefined && nowMs < known.untilMs) return known.wishes;
      const found = lookUp(entry, nowMs);
      this.#known.set(entry, found);
      return found.wishes;
    });
  }
}

function lookUp({ cron: pattern, zone, forMs, target }: ScheduleEntry, nowMs: number): Known {
  const cron = new Cron(pattern, { timezone: zone, paused: true });
  // A run at this very moment counts as the last one.
  const now = new Date(nowMs + 1);
  const last = cron.previousRuns(1, now)[0]?.getTime();
  const next = cron.nextRun(now)?.getTime();
  const wish = (fromMs: number): Wish => ({
    ...{ kind: 'schedule', name: `${pattern} ${zone}`, fromMs, toMs: fromMs + forMs, target },
  });
  return { untilMs: next ?? Infinity, wishes: [last, next].flatMap((at) => (at === undefined ? [] : [wish(at)])) };
}

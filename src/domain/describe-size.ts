import type { Autosize, PoolSize } from './pool-size.ts';

/** Why the target of a pool that sizes itself is what it is: one sentence for people. */
export function describeSize(size: PoolSize, { min, max, cover }: Autosize): string {
  const { target, need, bound } = size;
  const why = `${reasonOf(size, min, cover)}${lastWeekOf(size)}`;
  if (bound === 'max')
    return `${target}, its autosize.max, since ${need > max + 1 ? need : 'more'} would be needed: ${why}`;
  if (bound === 'memory') return `${target}, since hosts have memory and room for no more; ${need} are needed: ${why}`;
  return `${target}, since ${why}`;
}

function reasonOf(size: PoolSize, min: number, cover: number): string {
  const { reason, need, wish = '', clicksPerMinute, mostClicks } = size;
  const demand =
    `${clicksPerMinute} clicks a minute came in the last ten (at most ${mostClicks} within half a minute), and a ` +
    `start takes ${seconds(size.leadMs)}` +
    (size.intervalMs === undefined ? '' : `, one each ${seconds(size.intervalMs)}`);
  switch (reason) {
    case 'recent':
      return `it takes ${need} for ${percent(cover)} of the clicks to find one ready: ${demand}`;
    case 'last_week':
      return `a week ago it took ${need} at this time of day; now ${demand}`;
    case 'event':
      return `the event ${wish} wants ${need}`;
    case 'schedule':
      return `the schedule entry ${wish} wants ${need}`;
    case 'lowering':
      return `it is being lowered slowly to ${need}: ${demand}`;
    case 'min':
      return `autosize.min is ${min} and no more are needed: ${demand}`;
  }
}

function lastWeekOf({ reason, lastWeek }: PoolSize): string {
  return reason === 'recent' && lastWeek > 0 ? `; a week ago it took ${lastWeek}` : '';
}

function seconds(ms: number): string {
  return `${ms < 10_000 ? (ms / 1000).toFixed(1) : Math.round(ms / 1000)} s`;
}

function percent(share: number): string {
  return `${Math.round(share * 1000) / 10} %`;
}

import Type, { type Static } from 'typebox';

/** Raised when the stored shape changes; one of another version is skipped. */
export const POOL_SAMPLE_VERSION = 1;

const Count = Type.Integer({ minimum: 0 });

/** How a pool stood at a moment, and what was counted on that day (UTC) up to then. */
export const PoolSample = Type.Object({
  v: Type.Literal(POOL_SAMPLE_VERSION),
  atMs: Count,
  ready: Count,
  assigned: Count,
  waiting: Count,
  clicked: Count,
  /** Clicks that got a place in the line, or nothing, in place of an instance. */
  missed: Count,
});
export type PoolSample = Static<typeof PoolSample>;

export interface Demand {
  readonly clicks: number;
  /** Of them, the share that got an instance at once; undefined without any. */
  readonly hitRate: number | undefined;
}

/** What came between the first sample and the last; the counts begin again at midnight. */
export function demandOf(samples: readonly PoolSample[]): Demand {
  const clicks = grown(samples.map(({ clicked }) => clicked));
  const missed = grown(samples.map(({ missed: count }) => count));
  return { clicks, hitRate: clicks === 0 ? undefined : Math.max(0, clicks - missed) / clicks };
}

function grown(counts: readonly number[]): number {
  return counts.slice(1).reduce((sum, count, at) => {
    const before = counts[at] ?? 0;
    return sum + (count >= before ? count - before : count);
  }, 0);
}

import { describe, expect, it } from 'vitest';
import { POOL_SAMPLE_VERSION, demandOf, type PoolSample } from './pool-sample.ts';

const sample = (clicked: number, missed: number): PoolSample => ({
  ...{ v: POOL_SAMPLE_VERSION, atMs: 0, ready: 1, assigned: 0, waiting: 0 },
  ...{ clicked, missed },
});

describe('demand', () => {
  it.each([
    ['without samples', [], { clicks: 0, hitRate: undefined }],
    ['from one alone', [sample(9, 1)], { clicks: 0, hitRate: undefined }],
    ['between the first and the last', [sample(10, 2), sample(14, 2), sample(20, 3)], { clicks: 10, hitRate: 0.9 }],
    ['over midnight', [sample(100, 40), sample(104, 40), sample(6, 0)], { clicks: 10, hitRate: 1 }],
    ['with more missed than clicked', [sample(0, 0), sample(1, 3)], { clicks: 1, hitRate: 0 }],
  ])('%s', (_name, samples, demand) => {
    expect(demandOf(samples)).toEqual(demand);
  });
});

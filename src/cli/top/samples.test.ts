import { Histogram, Counter, Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { increase, quantile, readSamples, sumOf } from './samples.ts';

it('reads what our own metrics are written by, and counts between two readings', async () => {
  const registry = new Registry();
  const taken = new Counter({ name: 'taken', help: '.', labelNames: ['template'], registers: [registry] });
  const seconds = new Histogram({
    name: 'seconds',
    help: '.',
    labelNames: ['template'],
    buckets: [0.1, 0.2, 1],
    registers: [registry],
  });
  const read = async () => readSamples(await registry.metrics());
  for (const template of ['a', 'b']) {
    taken.inc({ template }, 5);
    seconds.observe({ template }, 0.9);
  }
  const before = await read();
  taken.inc({ template: 'a' }, 3);
  for (const value of [0.05, 0.15, 0.15, 0.15]) seconds.observe({ template: 'a' }, value);
  const after = await read();
  expect([
    increase(before, after, 'taken', { template: 'a' }),
    increase(before, after, 'taken'),
    sumOf(after, 'taken'),
    sumOf(after, 'nothing'),
  ]).toEqual([3, 3, 13, undefined]);
  expect(quantile(before, after, 'seconds', { template: 'a' }, 0.5)).toBeCloseTo(0.1 + (0.1 * 1) / 3);
  expect(quantile(before, after, 'seconds', { template: 'b' }, 0.5)).toBeUndefined();
  // Beyond the last bucket nothing is known but that.
  seconds.observe({ template: 'b' }, 30);
  expect(quantile(after, await read(), 'seconds', { template: 'b' }, 0.5)).toBe(1);
  // Started again.
  expect(increase(after, before, 'taken', { template: 'a' })).toBe(5);
});

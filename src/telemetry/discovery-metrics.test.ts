import { expect, it } from 'vitest';
import { DiscoveryMetrics } from './discovery-metrics.ts';

const DAY_MS = 24 * 3_600_000;

it('tells nothing of previews that nobody has visited for a month, however many there were', async () => {
  let nowMs = 0;
  const counted = new DiscoveryMetrics({
    version: '1',
    outcomes: ['known'],
    stats: () => ({ hostnames: 0, inStep: true, resyncs: 0 }),
    now: () => nowMs,
  });
  for (let number = 0; number < 1_000; number += 1) {
    for (const step of ['first_page', 'active'] as const) counted.visitStep(`pr-${number}`, 'direct', step);
    counted.visitStep('shop', 'direct', 'first_page');
    nowMs += DAY_MS;
    await counted.text();
  }
  const steps = (await counted.text()).split('\n').filter((line) => line.startsWith('try_it_now_funnel_total{'));
  expect(steps.filter((line) => line.includes('template="pr-'))).toHaveLength(2 * 30);
  expect(steps.filter((line) => !line.includes('template="pr-'))).toEqual([
    'try_it_now_funnel_total{template="shop",site="direct",step="first_page"} 1000',
  ]);
});

import { expect, it } from 'vitest';
import { Metrics } from './metrics.ts';

const metrics = (): Metrics => new Metrics({ templates: ['clock'], version: '1.2.3' });

/** The value of one series, undefined when there is none. */
async function value(of: Metrics, series: string): Promise<number | undefined> {
  const line = (await of.text()).split('\n').find((text) => text.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

it('tells nothing any more of a template that has gone, and begins again at zero with one of its name', async () => {
  const counted = metrics();
  counted.offer(['clock', 'preview-1']);
  counted.claimed('preview-1', 'taken', 1);
  counted.visitStep('preview-1', 'direct', 'clicked');
  counted.provisionFailed('preview-1', 'container_failed');
  counted.gate('preview-1', 'stock');
  counted.instanceMemory('preview-1', 2 ** 20);
  expect(await value(counted, 'try_it_now_gate_raised{template="preview-1",reason="stock"}')).toBe(1);
  counted.offer(['clock']);
  counted.gate('preview-1', 'stock');
  expect(await counted.text()).not.toContain('preview-1');
  expect(await value(counted, 'try_it_now_takes_total{template="clock",outcome="taken"}')).toBe(0);
  counted.offer(['clock', 'preview-1']);
  expect(await value(counted, 'try_it_now_takes_total{template="preview-1",outcome="taken"}')).toBe(0);
  counted.claimed('preview-1', 'taken', 1);
  expect(await value(counted, 'try_it_now_takes_total{template="preview-1",outcome="taken"}')).toBe(1);
});

it('says nothing of drift that another process looks for', async () => {
  const counted = metrics();
  counted.driftDetected({ container: 1 } as Parameters<Metrics['driftDetected']>[0]);
  expect(await value(counted, 'try_it_now_leaks{kind="container"}')).toBe(1);
  counted.driftLeftToOthers();
  expect(await value(counted, 'try_it_now_leaks{kind="container"}')).toBeUndefined();
  expect(await value(counted, 'try_it_now_survey_timestamp_seconds')).toBeUndefined();
});

import { expect, it } from 'vitest';
import { createLogger } from '../../telemetry/logger.ts';
import { FailedStarts } from './failed-starts.ts';

it('tells each reason once, whichever instance it was, and still writes every line', () => {
  const lines: string[] = [];
  const told: string[] = [];
  const starts = new FailedStarts({ write: (line: string) => void lines.push(line) }, (template, reason) => {
    told.push(`${template}: ${reason}`);
  });
  const log = createLogger('info', starts);
  const fail = (template: string, reason: string): void => log.warn({ template, reason }, 'Provision task failed');

  fail('shop', 'demo-4f9a00c2 ended with code 1');
  fail('shop', 'demo-1b77aa20 ended with code 1');
  expect(starts.isHopeless('shop')).toBe(false);
  fail('shop', 'it has no image');
  fail('blog', 'it has no image');
  log.info({ template: 'shop', reason: 'none' }, 'said of "Provision task failed"');

  expect(told).toEqual(['shop: demo-4f9a00c2 ended with code 1', 'shop: it has no image', 'blog: it has no image']);
  expect(lines).toHaveLength(5);
  expect([starts.isHopeless('shop'), starts.isHopeless('blog')]).toEqual([true, false]);
});

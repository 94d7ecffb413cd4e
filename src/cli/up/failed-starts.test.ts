import { expect, it } from 'vitest';
import { createLogger } from '../../telemetry/logger.ts';
import { FailedStarts } from './failed-starts.ts';

it('tells each reason once, whichever instance it was, and still writes every line', () => {
  const lines: string[] = [];
  const told: string[] = [];
  const starts = new FailedStarts({ write: (line: string) => void lines.push(line) }, (sentence) => {
    told.push(sentence);
  });
  const log = createLogger('info', starts);
  const fail = (template: string, reason: string): void => log.warn({ template, reason }, 'Provision task failed');

  fail('shop', 'demo-4f9a00c2 ended with code 1');
  fail('shop', 'demo-1b77aa20 ended with code 1');
  expect(starts.isHopeless('shop')).toBe(false);
  fail('shop', 'it has no image');
  fail('blog', 'it has no image');
  log.info({ template: 'shop', reason: 'none' }, 'said of "Provision task failed"');

  expect(told).toEqual([
    'shop could not be started: demo-4f9a00c2 ended with code 1',
    'shop could not be started: it has no image',
    'blog could not be started: it has no image',
  ]);
  expect(lines).toHaveLength(5);
  expect([starts.isHopeless('shop'), starts.isHopeless('blog')]).toEqual([true, false]);
});

it('tells once what an app waits for, be it on the way or in the end, and counts it in the end', () => {
  const told: string[] = [];
  const starts = new FailedStarts({ write: () => true }, (sentence) => {
    told.push(sentence);
  });
  const log = createLogger('info', starts);
  const reason = (host: string): string => `it answers / with status 401 to Host ${host}.localhost:8000`;
  for (const host of ['ndbbkgfrq5hkhowyles7', 'ktyjibcdlxscofhojexq', 'zjkerppxjvqfqypvvqwb']) {
    log.info({ template: 'shop', reason: reason(host) }, 'Instance is not ready so far');
    log.error({ template: 'shop', reason: reason(host) }, 'Provision task failed');
  }
  expect(told).toEqual([`shop is not ready so far: ${reason('ndbbkgfrq5hkhowyles7')}`]);
  expect(starts.isHopeless('shop')).toBe(true);
});

import { beforeEach, expect, it } from 'vitest';
import { AVOIDED_MS, FailuresHere } from './failures-here.ts';

let nowMs: number;
let version: string;
let failures: FailuresHere;
beforeEach(() => {
  [nowMs, version] = [1_000_000, 'v1'];
  failures = new FailuresHere({ catalogue: { version: () => version }, steadyClock: { passedMs: () => nowMs } });
});

const fail = (times: number): void => {
  for (let failed = 0; failed < times; failed += 1) failures.failed('tiny', 'attempt', 'MariaDB is down');
};
const WHY = '3 attempts at one failed there in a row: MariaDB is down';

it('speaks against a template from the third failure in a row on, until one comes up', () => {
  fail(2);
  expect(failures.whyNot('tiny')).toBe('');
  fail(1);
  expect([failures.whyNot('tiny'), failures.whyNot('other')]).toEqual([WHY, '']);
  failures.worked('tiny', 'attempt');
  fail(2);
  expect(failures.whyNot('tiny')).toBe('');
});

it('has it tried again after a while, and takes one failure for proof then', () => {
  fail(3);
  nowMs += AVOIDED_MS - 1;
  expect(failures.whyNot('tiny')).toBe(WHY);
  nowMs += 1;
  expect(failures.whyNot('tiny')).toBe('');
  fail(1);
  expect(failures.whyNot('tiny')).toContain('4 attempts');
});

it('knows nothing of another version of the template', () => {
  fail(3);
  version = 'v2';
  expect(failures.whyNot('tiny')).toBe('');
  fail(2);
  expect(failures.whyNot('tiny')).toBe('');
});

it('forgives ready ones that failed for one that stays healthy, and not for one that comes up', () => {
  for (let failed = 0; failed < 3; failed += 1) failures.failed('tiny', 'ready instance', 'it answers 500');
  failures.worked('tiny', 'attempt');
  expect(failures.whyNot('tiny')).toBe('3 ready ones failed there in a row: it answers 500');
  failures.worked('tiny', 'ready instance');
  expect(failures.whyNot('tiny')).toBe('');
});

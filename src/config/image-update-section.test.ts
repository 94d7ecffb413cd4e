import { expect, it } from 'vitest';
import { problems, template, withLines } from '../../test/support/catalogue.ts';

it('reads when an image is looked for', () => {
  const check = (text: string) => template(`image_check: ${text}`).imageCheck;
  expect(template().imageCheck).toBeUndefined();
  expect(check('off')).toBeUndefined();
  expect(check('manual')).toEqual({ kind: 'manual' });
  expect(check('90m')).toEqual({ kind: 'every', everyMs: 5_400_000, written: '90m' });
  expect(check('0 4 * * 1-5')).toEqual({ kind: 'cron', cron: '0 4 * * 1-5' });
});

it('reads what a new image has to answer', () => {
  expect(
    template('smoke:', '  - { path: / }', '  - { path: /cart?a=1, status: [200-204, 401], text: "Your  cart" }').smoke,
  ).toEqual([
    { path: '/', statuses: undefined, text: undefined },
    {
      ...{ path: '/cart?a=1', text: 'Your cart' },
      statuses: [
        { from: 200, to: 204 },
        { from: 401, to: 401 },
      ],
    },
  ]);
});

it.each([
  [['image_check: sometimes'], /image_check is "sometimes"; it must be off, manual, a time from 1m to 30d/],
  [['image_check: 10s'], /image_check is "10s"/],
  [['image_check: 0 25 * * *'], /image_check is "0 25 \* \* \*"/],
  [['smoke:', '  - { text: hello }'], /smoke\[0\]\.path is missing/],
  [['smoke:', '  - { path: /, status: 700 }'], /smoke\[0\]\.status is "700"/],
  [['smoke:', ...Array<string>(21).fill('  - { path: / }')], /smoke has 21 steps; 20 are the most/],
])('refuses %j', (lines, problem) => {
  expect(problems(withLines(...lines))).toEqual([expect.stringMatching(problem)]);
});

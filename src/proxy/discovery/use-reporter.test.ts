import { expect, it } from 'vitest';
import { silent } from '../../../test/support/store.ts';
import type { UsedLabel, UseReply } from './interfaces/use-reports.ts';
import { UseReporter } from './use-reporter.ts';

function world() {
  const told: (readonly UsedLabel[])[] = [];
  const replies: (UseReply | Error)[] = [];
  const steps: string[] = [];
  const known = new Set(['a', 'b']);
  const clock = { now: 1_000 };
  const reporter = new UseReporter({
    reports: {
      report: async (_reporter, used) => {
        told.push(used);
        const reply = replies.shift() ?? { waitsMs: used.map(() => 0), steps: [] };
        return reply instanceof Error ? Promise.reject(reply) : Promise.resolve(reply);
      },
    },
    isKnown: (label) => known.has(label),
    observer: { visitStep: (template, site, step) => steps.push(`${template} ${site} ${step}`) },
    log: silent,
    now: () => clock.now,
  });
  return { told, replies, steps, known, clock, reporter };
}

it('asks for the step of a visit only when a use may show one', async () => {
  const { told, replies, steps, known, clock, reporter } = world();
  reporter.note('a');
  clock.now = 1_500;
  replies.push({ waitsMs: [30_000], steps: [{ template: 'shop', site: 'direct', step: 'first_page' }] });
  await reporter.report(false);
  expect(told.pop()).toEqual([{ label: 'a', agoMs: 500 }]);
  expect(steps).toEqual(['shop direct first_page']);

  clock.now = 30_999;
  reporter.note('a');
  await reporter.report(false);
  expect(told.pop()).toEqual([{ label: 'a', agoMs: undefined }]);

  clock.now = 31_000;
  reporter.note('a');
  reporter.note('b');
  replies.push({ waitsMs: [Infinity, 0], steps: [] });
  await reporter.report(false);
  expect(told.pop()).toEqual([
    { label: 'a', agoMs: 0 },
    { label: 'b', agoMs: 0 },
  ]);
  clock.now = 99_000;
  reporter.note('a');
  await reporter.report(false);
  expect(told.pop()).toEqual([{ label: 'a', agoMs: undefined }]);

  // A label that is gone leaves nothing behind.
  known.delete('a');
  await reporter.report(false);
  reporter.note('a');
  await reporter.report(false);
  expect(told.pop()).toEqual([{ label: 'a', agoMs: 0 }]);
});

it('tells later what could not be told, and how long ago that was', async () => {
  const { told, replies, clock, reporter } = world();
  reporter.note('a');
  reporter.note('b');
  replies.push(new Error('away'));
  await expect(reporter.report(false)).rejects.toThrow('away');
  clock.now = 3_000;
  reporter.note('b');
  await reporter.report(false);
  expect(told.pop()).toEqual([
    { label: 'a', agoMs: 2_000 },
    { label: 'b', agoMs: 0 },
  ]);
});

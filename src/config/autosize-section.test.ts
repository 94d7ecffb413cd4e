import { expect, it } from 'vitest';
import { problems, template, withLines } from '../../test/support/catalogue.ts';

it('has a pool size itself', () => {
  expect(
    template(
      'pool:',
      '  max: 40',
      '  autosize:',
      '    min: 2',
      '    max: 30',
      '    cover: 97.5%',
      '    schedule:',
      '      - { cron: "0 8 * * 1-5", zone: Europe/Berlin, for: 10h, target: 5 }',
      '      - { cron: "30 9 * * *", for: 1h, target: 0 }',
    ).pool,
  ).toEqual({
    ...{ target: 2, max: 40, replenishThreshold: 0 },
    autosize: {
      ...{ min: 2, max: 30, cover: 0.975 },
      schedule: [
        { cron: '0 8 * * 1-5', zone: 'Europe/Berlin', forMs: 36_000_000, target: 5 },
        { cron: '30 9 * * *', zone: 'UTC', forMs: 3_600_000, target: 0 },
      ],
    },
  });
  expect(template('pool: { max: 4, autosize: { min: 1, max: 4 } }').pool.autosize?.cover).toBe(0.95);
  expect(template('pool: { target: 2 }').pool.autosize).toBeUndefined();
});

it.each([
  ['pool: { autosize: { max: 4 } }', 'pool.autosize.min is missing'],
  ['pool: { autosize: { min: 5, max: 4 } }', 'lower the first'],
  ['pool: { max: 6, autosize: { min: 1, max: 7 } }', 'more would stand ready than may exist'],
  ['pool: { target: 3, autosize: { min: 1, max: 4 } }', 'pool.target has no effect beside autosize'],
  ['pool: { replenish_threshold: 0.5, autosize: { min: 1, max: 4 } }', 'replenish_threshold has no effect'],
  ['pool: { autosize: { min: 1, max: 4, cover: 0.95 } }', 'the sign % is missing'],
  ['pool: { autosize: { min: 1, max: 4, cover: 49% } }', 'from 50% to 99.9%'],
  ['pool: { autosize: { min: 1, max: 4, schedule: [{ cron: "0 8 * *", for: 1h, target: 2 }] } }', 'the five fields'],
  ['pool: { autosize: { min: 1, max: 4, schedule: [{ cron: "0 25 * * *", for: 1h, target: 2 }] } }', 'the five fields'],
  ['pool: { autosize: { min: 1, max: 4, schedule: [{ cron: "0 0 30 2 *", for: 1h, target: 2 }] } }', 'never comes'],
  [
    'pool: { autosize: { min: 1, max: 4, schedule: [{ cron: "0 8 * * *", zone: Mars/North, for: 1h, target: 2 }] } }',
    'IANA',
  ],
  ['pool: { autosize: { min: 1, max: 4, schedule: [{ cron: "0 8 * * *", for: 1h, target: 5 }] } }', 'lower the first'],
])('refuses %s', (line, said) => expect(problems(withLines(line)).join('\n')).toContain(said));

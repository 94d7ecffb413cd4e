import { describe, expect, it } from 'vitest';
import { TryItNowError } from '../domain/errors.ts';
import { NotChecked, Shared, failure, isAtLeast, ok, runChecks, type Check } from './check.ts';

const check = (what: string, run: Check['run'], more: Partial<Check> = {}): Check => ({
  part: 'Part',
  what,
  run,
  ...more,
});

describe('runChecks', () => {
  it('answers in the order of the checks, whichever comes first', async () => {
    let answerSlow: () => void = () => undefined;
    const slow = new Promise<void>((resolve) => (answerSlow = resolve));
    const seen = await runChecks([
      check('slow', async () => {
        await slow;
        return [ok('slow', 'fine')];
      }),
      check('quick', () => {
        answerSlow();
        return Promise.resolve([ok('quick', 'fine')]);
      }),
    ]);
    expect(seen.map(({ part, what, verdict }) => [part, what, verdict])).toEqual([
      ['Part', 'slow', 'ok'],
      ['Part', 'quick', 'ok'],
    ]);
  });

  it('counts one that hangs as failed, with its remedy, and waits no longer than its limit', async () => {
    const [seen] = await runChecks([
      check('hangs', () => new Promise(() => undefined), { limitMs: 5, remedy: 'Restart it.' }),
    ]);
    expect(seen).toMatchObject({ what: 'hangs', verdict: 'failure', remedy: 'Restart it.' });
  });

  it.each([
    ['one of ours', new TryItNowError('store_unavailable', 'Valkey is gone'), 'failure', 'Valkey is gone'],
    ['any other', new Error('no such file'), 'failure', 'no such file'],
    ['a part that another check is about', new NotChecked('Valkey does not answer'), 'not_looked_at', 'Valkey'],
  ])('turns what a check throws into an observation: %s', async (_, error, verdict, words) => {
    const [seen] = await runChecks([check('thrower', () => Promise.reject(error))]);
    expect(seen?.verdict).toBe(verdict);
    expect(seen?.seen).toContain(words);
    expect(seen?.remedy === undefined).toBe(verdict === 'not_looked_at');
  });

  it('lets one that fails keep nothing from the others', async () => {
    const seen = await runChecks([
      check('broken', () => Promise.reject(new Error('broken'))),
      check('many', () => Promise.resolve([ok('a', '1'), failure('b', '2', 'Repair it.')])),
    ]);
    expect(seen.map(({ what, verdict }) => [what, verdict])).toEqual([
      ['broken', 'failure'],
      ['a', 'ok'],
      ['b', 'failure'],
    ]);
  });
});

describe('Shared', () => {
  it('opens once for all who ask', async () => {
    let opened = 0;
    const shared = new Shared(() => Promise.resolve((opened += 1)), 'absent');
    expect(await Promise.all([shared.get(), shared.need(), shared.get()])).toEqual([1, 1, 1]);
  });

  it('tells its own check why it failed, and the others only that it is absent', async () => {
    const shared = new Shared(() => Promise.reject(new Error('refused')), 'NATS does not answer');
    await expect(shared.get()).rejects.toThrow('refused');
    await expect(shared.need()).rejects.toThrow(NotChecked);
    await expect(shared.need()).rejects.toThrow('NATS does not answer');
  });

  it('passes on why something could not be checked at all', async () => {
    const shared = new Shared(() => Promise.reject(new NotChecked('it is simulated')), 'absent');
    await expect(shared.need()).rejects.toThrow('it is simulated');
  });
});

it.each([
  ['8.0.1', [7, 2], true],
  ['7.2', [7, 2], true],
  ['7.2.0-rc1', [7, 2], true],
  ['7.1.9', [7, 2], false],
  ['10.0', [9], true],
  ['2', [2, 0, 1], false],
])('holds version %s against %j: %s', (version, least, expected) => expect(isAtLeast(version, least)).toBe(expected));

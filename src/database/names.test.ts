import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newAttempt, newInstanceId } from '../domain/ids.ts';
import { DatabaseNames } from './names.ts';

const names = new DatabaseNames('mariadb', 'shop');

describe('names of databases', () => {
  it('reads back what it made, and fits into what every version takes for a user', () => {
    const until = Date.UTC(2031, 4, 5);
    const made = [names.instance(newInstanceId(), newAttempt()), names.tried(until), names.seed('0123456789abcdef')];
    expect(made.map((name) => names.parse(name))).toEqual([
      { kind: 'instance' },
      { kind: 'tried', untilMs: until },
      { kind: 'seed', digest: '0123456789abcdef' },
    ]);
    for (const name of made) expect(name).toMatch(/^[a-z0-9_]{1,32}$/);
  });

  it(
    'gives each attempt at an instance a name of its own, the same whenever it is ' +
      'asked, and nothing of the id away',
    () => {
      const [id, attempt] = [newInstanceId(), newAttempt()];
      expect(names.instance(id, attempt)).toBe(new DatabaseNames('mariadb', 'shop').instance(id, attempt));
      expect(names.instance(id, attempt)).not.toBe(names.instance(id, newAttempt()));
      expect(names.instance(id, attempt)).not.toContain(id.slice(0, 6));
    },
  );

  it('draws another name for each thing that is only tried', () => {
    expect(names.tried(5)).not.toBe(names.tried(5));
  });

  it('keeps its hands off the names of another deployment and of anybody else', () => {
    const own = names.instance(newInstanceId(), newAttempt());
    for (const other of [
      new DatabaseNames('postgresql', 'shop').instance(newInstanceId(), newAttempt()),
      new DatabaseNames('mariadb', 'shop2').instance(newInstanceId(), newAttempt()),
      `${own}x`,
      `x${own}`,
      own.replaceAll('_', 'a'),
      own.toUpperCase(),
      `${own}\n`,
      'mysql',
      'wordpress',
      '',
    ]) {
      expect(names.parse(other)).toBeUndefined();
    }
    fc.assert(fc.property(fc.string(), (text) => names.parse(text) === undefined));
  });
});

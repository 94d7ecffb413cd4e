import { describe, expect, it } from 'vitest';
import {
  containerName,
  HOST_LABEL_PATTERN,
  isInstanceId,
  isVisitName,
  newHostLabel,
  newInstanceId,
  visitName,
  withVisitNames,
} from './ids.ts';

describe('ids', () => {
  it('carry all the randomness they promise: 130 bits in an id, 100 in a label', () => {
    const ones = (bytes: number) => new Uint8Array(bytes).fill(255);
    expect(newInstanceId(ones)).toBe('7'.repeat(26));
    expect(newHostLabel(ones)).toBe('7'.repeat(20));
    expect(isInstanceId(newInstanceId())).toBe(true);
    expect(newHostLabel()).toMatch(new RegExp(HOST_LABEL_PATTERN));
  });

  it('never repeat', () => {
    expect(new Set(Array.from({ length: 10_000 }, () => newInstanceId())).size).toBe(10_000);
  });

  it('refuse what is no id', () => {
    for (const wrong of ['', 'a', '7'.repeat(25), '7'.repeat(27), 'A'.repeat(26), `${'7'.repeat(25)}1`])
      expect(isInstanceId(wrong)).toBe(false);
  });

  it("do not show in the container's name, which differs at each attempt", () => {
    const id = newInstanceId();
    expect(containerName(id, 'one')).toBe(containerName(id, 'one'));
    expect(containerName(id, 'one')).not.toBe(containerName(id, 'two'));
    expect(containerName(id, 'one')).toMatch(/^demo-[0-9a-f]{16}$/);
    expect(containerName(id, 'one')).not.toContain(id.slice(0, 6));
  });
});

describe('the names of visits', () => {
  const id = newInstanceId();
  const name = visitName(id);

  it('are no ids', () => {
    expect([isVisitName(name), isInstanceId(name), isVisitName(id)]).toEqual([true, false, false]);
  });

  it.each([
    (one: string) => one,
    (one: string) => `Instance ${one} is on node node1`,
    (one: string) => `<a href="/instances/${one}">${one}</a>`,
    (one: string) => JSON.stringify({ id: one, output: `I am\n${one}\t${one}` }),
    (one: string) => `\u001b[32m${one}\u001b[39m`,
    (one: string) => JSON.stringify(`\u001b[1;32m${one}\u0007${one}`),
    (one: string) => `db_${one}-1,${one}`,
  ])('stand in place of ids in a text, #%#', (text) => {
    expect(withVisitNames(text(id))).toBe(text(name));
  });

  it.each([newHostLabel(), 'a'.repeat(27), 'A'.repeat(26), `x${'2'.repeat(26)}`, name, '2'.repeat(64)])(
    'do not stand in place of %s',
    (text) => {
      expect(withVisitNames(text)).toBe(text);
    },
  );
});

import { describe, expect, it } from 'vitest';
import { newInstanceId } from '../domain/ids.ts';
import { CountdownTokens } from './countdown-tokens.ts';

const KEY = 'a-key-that-is-long-enough';
const END_MS = 1_800_000_123_000;
const id = newInstanceId();
const tokens = new CountdownTokens([KEY]);
const token = tokens.issue(id, END_MS) ?? '';
const refused = expect.objectContaining({ code: 'token_wrong' }) as unknown;

describe('a countdown token', () => {
  it('tells on every server with the key until when it holds, and nothing of key and instance', () => {
    expect(new CountdownTokens(['another-key', KEY]).check(token, id)).toBe(END_MS);
    expect(token).toMatch(/^[0-9a-z]+\.[\w-]{22}$/);
    expect(token).not.toContain(id);
  });

  it('holds for no other instance, no other end, and goes with its key', () => {
    const [runsOut = '', proof = ''] = token.split('.');
    const later = `${(Number.parseInt(runsOut, 36) + 1).toString(36)}.${proof}`;
    expect(() => tokens.check(token, newInstanceId())).toThrow(refused);
    expect(() => tokens.check(later, id)).toThrow(refused);
    expect(() => new CountdownTokens(['another-key']).check(token, id)).toThrow(refused);
    for (const broken of ['', '.', runsOut, `${token}a`, token.slice(0, -1), `-1.${proof}`])
      expect(() => tokens.check(broken, id)).toThrow(refused);
  });

  it('is not made where the API is open', () => {
    expect(new CountdownTokens([]).issue(id, END_MS)).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import { requestIds } from './request-id.ts';

describe('requestIds', () => {
  const id = requestIds();

  it('never gives the same twice', () => {
    const drawn = Array.from({ length: 1_000 }, () => id({ headers: {} }));
    expect(new Set(drawn).size).toBe(1_000);
  });

  it('keeps one that is fit for a log line', () => {
    expect(id({ headers: { 'x-request-id': 'trace/4bf92f:7-a.b=c' } })).toBe('trace/4bf92f:7-a.b=c');
  });

  it.each(['', ' ', 'a b', 'x'.repeat(129), 'line\nbreak', '<script>', 'ü'])(
    'replaces %j by one of its own',
    (given) => {
      expect(id({ headers: { 'x-request-id': given } })).toMatch(/^[0-9a-f]{10}-[0-9a-z]+$/);
    },
  );
});

import { describe, expect, it } from 'vitest';
import { distance, shortTime, stripControlCharacters, truncate } from './text.ts';

const NOW = Date.parse('2026-01-02T12:00:00.000Z');
const at = (seconds: number): string => new Date(NOW + seconds * 1_000).toISOString();

describe('stripControlCharacters', () => {
  it.each([
    ['\u001b[2Jgone', '·[2Jgone'],
    ['a\r\nb', 'a··b'],
    ['\u009b31m', '·31m'],
    ['plain – text ✓', 'plain – text ✓'],
  ])('shows %j as %j on one line', (text, expected) => expect(stripControlCharacters(text)).toBe(expected));

  it('keeps line feeds and tabs where lines are wanted, and nothing else', () => {
    expect(stripControlCharacters('a\n\tb\r\u0007', 'lines')).toBe('a\n\tb··');
  });
});

it('says a distance in the largest unit that says enough, before and after now alike', () => {
  const seen = [0, 119, 120, 7_199, 7_200, 172_799, 172_800, 864_000].map((seconds) => distance(at(seconds), NOW));
  expect(seen).toEqual(['0 s', '119 s', '2 min', '120 min', '2 h', '48 h', '2 d', '10 d']);
  expect(distance(at(-90), NOW)).toBe('90 s');
});

it('cuts with an ellipsis within the length, and leaves what fits', () => {
  expect([truncate('abcdef', 6), truncate('abcdef', 5), truncate('', 3)]).toEqual(['abcdef', 'abcd…', '']);
});

it('shows a time without its year and fraction', () => {
  expect(shortTime('2026-11-24T04:20:57.123Z')).toBe('11-24 04:20:57');
});

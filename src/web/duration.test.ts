import { expect, it } from 'vitest';
import { inWords } from './duration.ts';

it.each([
  [0, '0 s'],
  [119, '119 s'],
  [120, '2 min'],
  [121, '3 min'],
  [1_800, '30 min'],
  [3_540, '59 min'],
  [3_541, '1 h'],
  [5_400, '1 h 30 min'],
  [7_199, '2 h'],
  [7_200, '2 h'],
  [7_201, '2 h 1 min'],
  [86_400, '24 h'],
])('says %d seconds as %s', (seconds, words) => {
  expect(inWords(seconds)).toBe(words);
});

import { expect, it } from 'vitest';
import { chanceOf, changeOf } from './change.ts';
import { figureOfRounds, figure } from './figures.ts';

const of = (...rounds: number[]) => figureOfRounds('acquire, p50', rounds, 'ms');

it('tells a change where every round of one run is beyond all of the other, in either direction', () => {
  const [slow, fast] = [of(1.4, 1.5, 1.6, 1.5, 1.9), of(1.1, 1.3, 1.2, 1, 1.1)];
  expect(changeOf(slow, fast)).toEqual({ ratio: 1.1 / 1.5, verdict: 'changed' });
  expect(changeOf(fast, slow).verdict).toBe('changed');
});

it('tells none where rounds overlap, however far the medians are apart', () => {
  expect(changeOf(of(1, 1, 1, 1, 9), of(2, 2, 2, 2, 2)).verdict).toBe('within the noise');
  expect(changeOf(of(1, 1, 1, 1, 1), of(1, 1, 1, 1, 1))).toEqual({ ratio: 1, verdict: 'within the noise' });
});

it('sees a smaller change with more rounds', () => {
  const before = of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
  expect(changeOf(before, of(6, 8, 9, 10, 11, 12, 13, 14, 15, 16)).verdict).toBe('changed');
});

it('says nothing of what was measured once, or a few times', () => {
  expect(changeOf(figure('memory', 10, 'MiB'), figure('memory', 20, 'MiB')).verdict).toBe('too few rounds');
  expect(changeOf(of(1, 1, 1, 1), of(2, 2, 2, 2, 2)).verdict).toBe('too few rounds');
});

it('counts exactly', () => {
  expect(chanceOf([1, 2, 3, 4, 5], [6, 7, 8, 9, 10])).toBeCloseTo(2 / 252, 10);
  expect(chanceOf([1, 2, 3, 4, 6], [5, 7, 8, 9, 10])).toBeCloseTo(4 / 252, 10);
  expect(chanceOf([1, 4], [2, 3])).toBe(1);
});

import type { Figure } from './figures.ts';

export interface Change {
  /** Of the medians: later by earlier. */
  readonly ratio: number;
  readonly verdict: 'changed' | 'within the noise' | 'too few rounds';
}

/** With fewer, no order of them is rare enough. */
const LEAST_ROUNDS = 5;
/** A difference that chance alone would make more often is none. */
const CHANCE = 0.01;

/**
 * Whether a figure is another than before. The rounds are ranked together (the test of Mann, Whitney and Wilcoxon,
 * which assumes nothing of how they are spread): five against five differ where every one of one run is above every
 * one of the other, which chance does in 0.8 % of all cases.
 */
export function changeOf(before: Figure, after: Figure): Change {
  const ratio = after.value / before.value;
  const [earlier = [], later = []] = [before.rounds, after.rounds];
  if (Math.min(earlier.length, later.length) < LEAST_ROUNDS) return { ratio, verdict: 'too few rounds' };
  return { ratio, verdict: chanceOf(earlier, later) < CHANCE ? 'changed' : 'within the noise' };
}

/** How often chance alone separates two groups of these sizes as much as these are, in whichever direction; exact. */
export function chanceOf(a: readonly number[], b: readonly number[]): number {
  // Pairs in which the second is larger; half of one where they are equal.
  const above = sum(a.flatMap((x) => b.map((y) => (y > x ? 1 : y === x ? 0.5 : 0))));
  const pairs = a.length * b.length;
  const extreme = Math.max(above, pairs - above);
  const ways = waysTo(a.length, b.length);
  const all = sum(ways);
  const rarer = sum(ways.filter((_, pairsAbove) => pairsAbove >= extreme));
  return Math.min(1, (2 * rarer) / all);
}

/** In how many orders of two groups so many pairs have the second one's above: by their number. */
function waysTo(first: number, second: number): readonly number[] {
  // The highest of all is the first group's, and adds no pair, or the second's, and is above all of the first.
  let row = Array.from({ length: second + 1 }, (): readonly number[] => [1]);
  for (let a = 1; a <= first; a += 1) {
    const next: (readonly number[])[] = [[1]];
    for (let b = 1; b <= second; b += 1) {
      const [without = [], within = []] = [row[b], next[b - 1]];
      next.push(Array.from({ length: a * b + 1 }, (_, pairs) => (without[pairs] ?? 0) + (within[pairs - a] ?? 0)));
    }
    row = next;
  }
  return row[second] ?? [];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** One line of the result: what was measured, the figure, and the goal it is held against, if it has one. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly goal?: { readonly atMost: number } | { readonly atLeast: number } | undefined;
  /** What each round gave, where `value` is their median; `npm run bench-compare` tells changes from noise by them. */
  readonly rounds?: readonly number[];
  /** All that were taken, where others may want to see them. */
  readonly samples?: readonly number[];
  /** Of a figure that was measured at several sizes: which curve it is a point of. */
  readonly curve?: { readonly name: string; readonly instances: number };
}

/** What a run of benchmarks writes. */
export interface BenchResult {
  readonly at: string;
  readonly machine: Readonly<Record<string, unknown>>;
  readonly figures: readonly Figure[];
}

/** The value below which the share `p` (0..1) of the samples is; nearest rank. */
export function percentile(samples: readonly number[], p: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(p * sorted.length) - 1))] ?? NaN;
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5);
}

export function figure(name: string, value: number, unit: string, goal?: Figure['goal']): Figure {
  return { name, value: rounded(value), unit, ...(goal === undefined ? {} : { goal }) };
}

/** The median of the rounds, which are kept beside it. */
export function figureOfRounds(name: string, rounds: readonly number[], unit: string, goal?: Figure['goal']): Figure {
  return { ...figure(name, median(rounds), unit, goal), rounds: rounds.map(rounded) };
}

function rounded(value: number): number {
  return Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
}

export function printTable(figures: readonly Figure[]): void {
  console.table(
    figures.map(({ name, value, unit, goal, rounds }) => {
      const spread = rounds === undefined ? '' : `${Math.min(...rounds)} to ${Math.max(...rounds)}`;
      if (goal === undefined) return { what: name, figure: value, spread, unit, goal: '', reached: '' };
      const reached = 'atMost' in goal ? value <= goal.atMost : value >= goal.atLeast;
      return {
        what: name,
        figure: value,
        spread,
        unit,
        goal: 'atMost' in goal ? `≤ ${goal.atMost}` : `≥ ${goal.atLeast}`,
        reached: reached ? 'yes' : 'NO',
      };
    }),
  );
}

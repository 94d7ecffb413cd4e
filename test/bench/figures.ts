/** One line of the result: what was measured, the figure, and the goal it is held against, if it has one. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly goal?: { readonly atMost: number } | { readonly atLeast: number };
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
  const rounded = Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3));
  return { name, value: rounded, unit, ...(goal === undefined ? {} : { goal }) };
}

export function printTable(figures: readonly Figure[]): void {
  console.table(
    figures.map(({ name, value, unit, goal }) => {
      if (goal === undefined) return { what: name, figure: value, unit, goal: '', reached: '' };
      const reached = 'atMost' in goal ? value <= goal.atMost : value >= goal.atLeast;
      return {
        what: name,
        figure: value,
        unit,
        goal: 'atMost' in goal ? `≤ ${goal.atMost}` : `≥ ${goal.atLeast}`,
        reached: reached ? 'yes' : 'NO',
      };
    }),
  );
}

import type { Instance } from '../domain/instance.ts';

/** An answer that is slow may be bad luck, or a busy machine's. */
const LOOKS_IN_A_ROW = 3;
const TIMES_MEDIAN = 10;
/** Nothing faster than this is slow to a visitor. */
const NOTICED_MS = 1_000;
/** Of fewer no median says what is usual. */
const FEWEST = 4;
/** Where more of them are, it is the app that is slow, or the host. */
const LARGEST_SHARE = 0.25;

export interface Look {
  readonly record: Instance;
  readonly tookMs: number;
}

export interface SlowInstance extends Look {
  /** Of its template, in the same round. */
  readonly medianMs: number;
}

/**
 * Which ready instances have come to answer much later than others of their template. Those of one round are compared
 * with each other: what slows all of them is not theirs.
 */
export class SlowStock {
  /** Slow looks in a row, by instance. */
  #inARow: ReadonlyMap<string, number> = new Map();

  /** Takes the looks of one round that passed; what was slow several times in a row is returned. */
  judge(looks: readonly Look[]): readonly SlowInstance[] {
    const inARow = new Map<string, number>();
    const slow: SlowInstance[] = [];
    for (const name of new Set(looks.map(({ record }) => record.template))) {
      for (const each of outliers(looks.filter(({ record }) => record.template === name))) {
        const { id } = each.record;
        const times = (this.#inARow.get(id) ?? 0) + 1;
        inARow.set(id, times);
        if (times >= LOOKS_IN_A_ROW) slow.push(each);
      }
    }
    this.#inARow = inARow;
    return slow;
  }
}

function outliers(looks: readonly Look[]): readonly SlowInstance[] {
  if (looks.length < FEWEST) return [];
  const sorted = looks.map(({ tookMs }) => tookMs).sort((a, b) => a - b);
  const medianMs = sorted[Math.floor((sorted.length - 1) / 2)] ?? Infinity;
  const from = Math.max(NOTICED_MS, TIMES_MEDIAN * medianMs);
  const slow = looks.filter(({ tookMs }) => tookMs >= from).map((look) => ({ ...look, medianMs }));
  return slow.length > LARGEST_SHARE * looks.length ? [] : slow;
}

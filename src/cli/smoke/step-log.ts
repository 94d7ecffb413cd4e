import { Refused } from './visitor.ts';

export interface Step {
  readonly step: string;
  readonly outcome: 'done' | 'failed';
  readonly ms: number;
  readonly seen: string;
}

/** The steps of one visit, in the order they were taken. */
export class StepLog {
  readonly #signal: AbortSignal;
  readonly #steps: Step[] = [];
  #current = 'acquire';

  /** No step but `release` begins once the signal is aborted: what was taken is given back all the same. */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  get steps(): readonly Step[] {
    return this.#steps;
  }

  /** The step that was begun last. */
  get current(): string {
    return this.#current;
  }

  /** Throws what the work throws. */
  async during<T>(name: string, work: () => Promise<T>, seen: (result: T) => string): Promise<T> {
    this.#current = name;
    const startedAt = performance.now();
    const ms = (): number => Math.round((performance.now() - startedAt) * 10) / 10;
    try {
      if (name !== 'release') this.#signal.throwIfAborted();
      const result = await work();
      this.#steps.push({ step: name, outcome: 'done', ms: ms(), seen: seen(result) });
      return result;
    } catch (error) {
      this.#steps.push({
        step: name,
        outcome: 'failed',
        ms: ms(),
        seen: this.#signal.aborted && name !== 'release' ? 'stopped' : messageOf(error),
      });
      throw error;
    }
  }
}

function messageOf(error: unknown): string {
  if (error instanceof Refused) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}

import { sleep } from '../lifecycle/sleep.ts';

/**
 * An app that is up by then holds its slot until it is: so many apps at once share the processors. One that takes
 * longer waits without.
 */
const BOOT_MS = 2_000;

interface Waiting {
  readonly template: string;
  readonly begin: () => void;
}

/** An attempt at an instance, from its turn on. */
export interface Turn {
  /** Waits for a slot: for what keeps the engine busy. It has one afterwards, and may have had one before. */
  work(signal: AbortSignal): Promise<void>;
  /** The app is booting: gives the slot back when that takes long. Returns what ends the boot. */
  boot(): () => void;
  /**
   * Waits for something else than engine and app: when it is long, worker and slot are given back, and what keeps the
   * engine busy afterwards asks for work again. Returns what ends the wait.
   */
  wait(): () => void;
  end(outcome: 'came up' | 'failed'): void;
}

interface StartTurnsOptions {
  /** Slots in this process: attempts that keep the engine busy at once. */
  readonly slots: number;
  /** With more than one template, none of them may hold all the slots. */
  readonly templates: () => number;
  readonly bootMs?: number;
}

/**
 * Shares the process's slots among templates. A template has as many attempts under way as there are slots; what waits
 * for its app holds none, and a free slot goes to the template that holds the fewest. So one whose apps never come up
 * costs the others nothing but the moments in which its containers are started.
 */
export class StartTurns {
  readonly #options: StartTurnsOptions;
  readonly #underWay = new Map<string, number>();
  readonly #working = new Map<string, number>();
  /** Templates whose last attempt failed: nothing is gained by watching them boot. */
  readonly #failing = new Set<string>();
  #turns: Waiting[] = [];
  #work: Waiting[] = [];

  constructor(options: StartTurnsOptions) {
    this.#options = options;
  }

  /**
   * Waits until the template may have another attempt under way. `yieldWorker` is called when whoever asks waits for
   * others of its own template only: a worker is better used elsewhere.
   */
  async next(template: string, yieldWorker: () => void, signal: AbortSignal): Promise<Turn> {
    if (count(this.#underWay, template) >= this.#options.slots) {
      yieldWorker();
      await this.#wait(this.#turns, template, signal);
    } else add(this.#underWay, template, 1);
    return this.#turn(template, yieldWorker);
  }

  #turn(template: string, yieldWorker: () => void): Turn {
    let state: 'waits' | 'works' | 'ended' = 'waits';
    const rest = (): void => {
      if (state !== 'works') return;
      state = 'waits';
      add(this.#working, template, -1);
      this.#grantWork();
    };
    return {
      work: async (signal) => {
        if (state !== 'waits') return;
        if (!this.#mayWork(template)) {
          if (count(this.#working, template) >= this.#share()) yieldWorker();
          await this.#wait(this.#work, template, signal);
        } else add(this.#working, template, 1);
        state = 'works';
      },
      boot: () => {
        const over = new AbortController();
        const giveBack = (): void => {
          rest();
          yieldWorker();
        };
        if (this.#failing.has(template)) giveBack();
        else void sleep(this.#options.bootMs ?? BOOT_MS, over.signal).then(giveBack);
        return () => over.abort();
      },
      wait: () => {
        const over = new AbortController();
        void sleep(this.#options.bootMs ?? BOOT_MS, over.signal).then(() => {
          if (over.signal.aborted) return;
          rest();
          yieldWorker();
        });
        return () => over.abort();
      },
      end: (outcome) => {
        if (state === 'ended') return;
        rest();
        state = 'ended';
        if (outcome === 'came up') this.#failing.delete(template);
        else this.#failing.add(template);
        add(this.#underWay, template, -1);
        this.#grantTurns();
      },
    };
  }

  #share(): number {
    const { slots, templates } = this.#options;
    return templates() > 1 ? Math.max(1, slots - 1) : slots;
  }

  #mayWork(template: string): boolean {
    const busy = [...this.#working.values()].reduce((sum, each) => sum + each, 0);
    return busy < this.#options.slots && count(this.#working, template) < this.#share();
  }

  /** The template that holds the fewest is first; among its own, whoever came first. */
  #grantWork(): void {
    for (;;) {
      const able = this.#work.filter(({ template }) => this.#mayWork(template));
      const fewest = Math.min(...able.map(({ template }) => count(this.#working, template)));
      const next = able.find(({ template }) => count(this.#working, template) === fewest);
      if (next === undefined) return;
      this.#work = this.#work.filter((waiting) => waiting !== next);
      add(this.#working, next.template, 1);
      next.begin();
    }
  }

  #grantTurns(): void {
    for (const waiting of [...this.#turns]) {
      if (count(this.#underWay, waiting.template) >= this.#options.slots) continue;
      this.#turns = this.#turns.filter((each) => each !== waiting);
      add(this.#underWay, waiting.template, 1);
      waiting.begin();
    }
  }

  /** Resolves when it was granted, which counts already; rejects with the signal's reason otherwise. */
  async #wait(queue: Waiting[], template: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const waiting: Waiting = {
        template,
        begin: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      const leave = (): void => {
        this.#turns = this.#turns.filter((each) => each !== waiting);
        this.#work = this.#work.filter((each) => each !== waiting);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', leave, { once: true });
      queue.push(waiting);
    });
  }
}

function count(counts: ReadonlyMap<string, number>, template: string): number {
  return counts.get(template) ?? 0;
}

function add(counts: Map<string, number>, template: string, change: number): void {
  const changed = count(counts, template) + change;
  if (changed === 0) counts.delete(template);
  else counts.set(template, changed);
}

/**
 * How many of a lane's free slots ask NATS for a task: one while none comes, since each request that waits there costs
 * both sides messages; all while tasks come, so that many are fetched side by side.
 */
export class FreeSlots {
  readonly #stopping: AbortSignal;
  #asking = 0;
  /** Whether whoever asked last was given one. */
  #come = false;
  readonly #resting: (() => void)[] = [];

  constructor(stopping: AbortSignal) {
    this.#stopping = stopping;
    stopping.addEventListener('abort', () => this.#wake(this.#resting.length), { once: true });
  }

  /** What `fetch` comes to, once it is this slot's turn to ask; undefined when there was no task. */
  async ask<Task>(fetch: () => Promise<Task | undefined>): Promise<Task | undefined> {
    while (this.#asking > 0 && !this.#come && !this.#stopping.aborted)
      await new Promise<void>((wake) => this.#resting.push(wake));
    this.#asking += 1;
    let task: Task | undefined;
    try {
      task = await fetch();
      return task;
    } finally {
      this.#asking -= 1;
      this.#come = task !== undefined;
      if (this.#come) this.#wake(this.#resting.length);
      // Whoever asked last may have a pause before it asks again.
      else if (this.#asking === 0) this.#wake(1);
    }
  }

  #wake(count: number): void {
    for (const wake of this.#resting.splice(0, count)) wake();
  }
}

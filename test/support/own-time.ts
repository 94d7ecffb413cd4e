const TICK_MS = 50;

/**
 * Limits in time that passed for this process: each tick counts the same, however late it comes, so that on a machine
 * that starves everybody a slow answer is no sign of anybody's fault.
 */
export class OwnTime implements Disposable {
  readonly #limits = new Set<{ readonly untilMs: number; readonly controller: AbortController }>();
  // What has come in is read before a limit ends.
  readonly #ticker = setInterval(() => setImmediate(() => this.#tick()), TICK_MS);
  #nowMs = 0;

  /** Aborts with a TimeoutError. */
  limit(ms: number): AbortSignal {
    const controller = new AbortController();
    this.#limits.add({ untilMs: this.#nowMs + ms, controller });
    return controller.signal;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#ticker);
    this.#limits.clear();
  }

  #tick(): void {
    this.#nowMs += TICK_MS;
    for (const limit of this.#limits) {
      if (limit.untilMs > this.#nowMs) continue;
      this.#limits.delete(limit);
      limit.controller.abort(new DOMException('the limit is over', 'TimeoutError'));
    }
  }
}

/** Tells those who wait for a container what the engine's events say of it. One for each process. */
export class ContainerEnds {
  readonly #waiting = new Map<string, Set<() => void>>();

  tell(name: string): void {
    for (const wake of this.#waiting.get(name) ?? []) wake();
  }

  /** Resolves when that container is told to have ended, or at the signal. Its end may have been before. */
  async next(name: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const waiting = this.#waiting.get(name) ?? new Set();
    this.#waiting.set(name, waiting);
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        waiting.delete(wake);
        if (waiting.size === 0) this.#waiting.delete(name);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}

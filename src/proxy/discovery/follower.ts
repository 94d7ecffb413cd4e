import { describeError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import { backoffMs } from '../../lifecycle/backoff.ts';
import { sleep } from '../../lifecycle/sleep.ts';
import type { NameTable } from './name-table.ts';
import type { HostnameEvent, HostnameSource } from './interfaces/hostname-source.ts';

export interface FollowerOptions {
  readonly source: HostnameSource;
  readonly table: NameTable;
  readonly log: Log;
  /** Called after everything that changed what the table holds. */
  readonly onChange: (event: HostnameEvent) => void;
}

/**
 * Keeps the table in step with the store, for ever: when the store is lost, it tries again and begins with a snapshot.
 * Not a Loop: a round that goes well has no end (adr/0012).
 */
export class Follower {
  readonly #options: FollowerOptions;
  readonly #abort = new AbortController();
  readonly #running: Promise<void>;
  #inStep = false;
  #resyncs = 0;
  #settle: () => void = () => undefined;
  /** Resolves with the first snapshot or the first failure to get one. */
  readonly firstWord: Promise<void>;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.firstWord = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#running = this.#run();
  }

  get inStep(): boolean {
    return this.#inStep;
  }

  get resyncs(): number {
    return this.#resyncs;
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { source, table, log } = this.#options;
    const { signal } = this.#abort;
    let failures = 0;
    while (!signal.aborted) {
      try {
        for await (const event of source.follow(signal)) {
          if (!this.#inStep && failures > 0) log.info({ failures }, 'Host names are in step with the store again');
          failures = 0;
          this.#inStep = true;
          this.#apply(event);
          this.#settle();
        }
      } catch (error) {
        if (failures === 0)
          log.error(
            { reason: describeError(error), known: table.hostnames.size },
            'The store of host names is lost; answering from memory',
          );
      }
      this.#inStep = false;
      this.#settle();
      failures += 1;
      await sleep(backoffMs(failures, { baseMs: 50, maxMs: 1_000 }), signal);
    }
  }

  #apply(event: HostnameEvent): void {
    const { table, onChange } = this.#options;
    switch (event.kind) {
      case 'snapshot':
        table.replace(event.hostnames, event);
        this.#resyncs += 1;
        onChange(event);
        return;
      case 'changes':
        table.apply(event.changes);
        onChange(event);
        return;
      case 'nodes':
        if (table.setNodes(event)) onChange(event);
        return;
    }
  }
}

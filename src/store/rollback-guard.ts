import type { Redis as Valkey } from 'iovalkey';
import type { Instance } from '../domain/instance.ts';
import type { Log } from '../domain/log.ts';
import { Loop } from '../lifecycle/loop.ts';
import { sleep } from '../lifecycle/sleep.ts';
import { keys } from './keys.ts';
import { requireRecord } from './records.ts';
import { FLAG } from './script-codes.ts';
import type { Scripts } from './scripts.ts';
import type { TemplateIndex } from './template-index.ts';

/** Told of the idle instances that were retired; their cleanup is the caller's. */
export type RolledBack = (retired: readonly Instance[]) => void;

export interface RollbackGuardDeps {
  readonly client: Valkey;
  readonly scripts: Scripts;
  readonly templates: TemplateIndex;
  /** Of this process among all that hand out. */
  readonly processId: string;
  readonly log: Log;
}

/** Bounds how far a process's memory is behind the other processes' claims. */
const WATCH_INTERVAL_MS = 1_000;
/** Ten missed rounds. */
const CLAIMER_SILENCE_MS = 10_000;
/** A connection comes back within a second (see client.ts); the rest is for the check itself on a busy machine. */
const HOLD_MS = 2_500;
const BATCH = 500;

/**
 * Notices a store that came back with older data: each claim raises a counter there, and each process remembers the
 * highest it saw. Idle instances of such a store may be somebody's already, so all are retired (adr/0009).
 */
export class RollbackGuard {
  readonly #deps: RollbackGuardDeps;
  #seen = 0;
  #recovery: Promise<void> | undefined;
  #onRolledBack: RolledBack | undefined;
  /** Others hand out as well, so what was lost may be what only they have seen. */
  #others = false;
  #held: Promise<void> | undefined;
  #connection = new AbortController();

  constructor(deps: RollbackGuardDeps) {
    this.#deps = deps;
  }

  /** The highest claim count this process has seen. */
  get seen(): number {
    return this.#seen;
  }

  /**
   * After a lost connection, until the processes that saw more have had time to notice; undefined when nothing has to
   * be waited for, as always with a single process, which has seen everything.
   */
  get held(): Promise<void> | undefined {
    return this.#held !== undefined && this.#deps.client.status === 'ready' ? this.#held : undefined;
  }

  note(count: number): void {
    if (count > this.#seen) this.#seen = count;
  }

  /** Compares the store's count with what was seen, and repairs it. Throws store_unavailable. */
  async check(): Promise<void> {
    const { scripts, processId } = this.#deps;
    const [count, others] = (await scripts.run(
      'watch-claims',
      [keys.claimCount, keys.claimers],
      [processId, CLAIMER_SILENCE_MS],
    )) as [number, number];
    this.#others = others > 0;
    if (count < this.#seen) await this.recover();
    else this.note(count);
  }

  /**
   * Retires all idle instances of a store that went back, and has it count on from where it was. Throws
   * store_unavailable.
   */
  recover(): Promise<void> {
    this.#recovery ??= this.#recover().finally(() => {
      this.#recovery = undefined;
    });
    return this.#recovery;
  }

  /** Checks now and then, and whenever the connection comes back. */
  watch(onRolledBack: RolledBack): { readonly stop: () => Promise<void> } {
    const { client, log } = this.#deps;
    this.#onRolledBack = onRolledBack;
    const loop = new Loop({ name: 'rollback guard', intervalMs: WATCH_INTERVAL_MS, log }, () => this.check());
    const lost = (): void => this.#hold();
    const back = (): void => loop.trigger();
    client.on('close', lost).on('ready', back);
    loop.start();
    return {
      stop: async () => {
        client.off('close', lost).off('ready', back);
        this.#connection.abort();
        await loop.stop();
      },
    };
  }

  /** From the loss on, not from the return: no claim may slip in between. */
  #hold(): void {
    if (!this.#others) return;
    const { client } = this.#deps;
    this.#connection.abort();
    const connection = new AbortController();
    this.#connection = connection;
    const held = new Promise<void>((resolve) => {
      const back = (): void => void sleep(HOLD_MS, connection.signal).then(resolve);
      client.once('ready', back);
      connection.signal.addEventListener('abort', () => {
        client.off('ready', back);
        resolve();
      });
    }).then(() => {
      if (this.#held === held) this.#held = undefined;
    });
    this.#held = held;
  }

  async #recover(): Promise<void> {
    const { scripts, templates, log } = this.#deps;
    const seen = this.#seen;
    const retired: Instance[] = [];
    for (const template of await templates.names()) {
      for (let more = true; more;) {
        const [code, ...texts] = (await scripts.run(
          'retire-untrusted',
          [
            keys.instances,
            keys.ready(template),
            keys.leaving(template),
            keys.hostnames,
            keys.hostnameChanges,
            keys.claimCount,
          ],
          [seen, BATCH],
        )) as [number, ...string[]];
        retired.push(...texts.map((text) => requireRecord(text, log)));
        more = code === FLAG.YES;
      }
    }
    // Last: anyone who dies before it leaves a store that the next one still finds wrong.
    const lostClaims = Number(await scripts.run('raise-claim-count', [keys.claimCount], [seen]));
    if (lostClaims === 0 && retired.length === 0) return;
    log.error(
      { lostClaims, retired: retired.length },
      'Valkey came back with older data: idle instances that may have been handed out already are retired. ' +
        'See docs/adr/0009-store-that-forgets.md for how to lose less',
    );
    this.#onRolledBack?.(retired);
  }
}

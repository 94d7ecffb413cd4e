import type { Redis as Valkey } from 'iovalkey';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Instance } from '../domain/instance.ts';
import type { Log } from '../domain/log.ts';
import { withDeadline } from '../lifecycle/deadline.ts';
import { Loop } from '../lifecycle/loop.ts';
import { sleep } from '../lifecycle/sleep.ts';
import { keys } from './keys.ts';
import { requireRecord } from './records.ts';
import type { ReplicaConfirmation } from './replica-confirmation.ts';
import { FLAG } from './script-codes.ts';
import type { Scripts } from './scripts.ts';
import type { TemplateIndex } from './template-index.ts';

/** Told of the idle instances that were retired; their cleanup is the caller's. */
export type RolledBack = (retired: readonly Instance[]) => void;

export interface RollbackGuardDeps {
  readonly client: Valkey;
  readonly scripts: Scripts;
  readonly replicas: Pick<ReplicaConfirmation, 'confirm'>;
  readonly templates: TemplateIndex;
  /** Of this process among all that hand out. */
  readonly processId: string;
  readonly log: Log;
}

/** Bounds how far a process's memory is behind the other processes' claims. */
const WATCH_INTERVAL_MS = 1_000;
/** Ten missed rounds. */
const CLAIMER_SILENCE_MS = 10_000;
/** How long a claim waits for the others to look; then its visitor is told to try again. */
const HOLD_MS = 2_500;
/**
 * How long the others have to look at a server that is new to them: a connection comes back within a second (see
 * client.ts), and a server that hangs is left after two to four. Being too short costs idle instances and nothing else.
 */
const OTHERS_LOOK_WITHIN_MS = 5_000;
const LOOK_AGAIN_MS = 100;
const RETRY_AFTER_MS = 2_000;
/** One repair is enough, unless the store goes back again meanwhile. */
const MAX_RECOVERIES = 3;
const BATCH = 500;

type WatchReply = readonly [count: number, run: string, looked: readonly string[], missing: readonly string[]];

/**
 * Notices a store that came back with older data, also as a replica that was behind: each claim raises a counter there,
 * and each process remembers the highest it saw. Idle instances of such a store may be somebody's already, so all are
 * retired (adr/0009).
 */
export class RollbackGuard {
  readonly #deps: RollbackGuardDeps;
  #seen = 0;
  #recovery: Promise<void> | undefined;
  #onRolledBack: RolledBack | undefined;
  #watching = false;
  /** The connection over which everybody's memory was found to agree with the store. */
  #trusted: Valkey['stream'] | undefined;
  #held: { readonly until: Promise<void>; readonly end: () => void } | undefined;
  /** Who else hands out, as of the last look at the server of that run id that everybody had looked at. */
  #others: { readonly run: string; readonly processes: readonly string[] } = { run: '', processes: [] };
  /** The server that not everybody has looked at, and since when that is known. */
  #doubt: { readonly run: string; readonly since: number } | undefined;

  constructor(deps: RollbackGuardDeps) {
    this.#deps = deps;
  }

  /** The highest claim count this process has seen. */
  get seen(): number {
    return this.#seen;
  }

  /**
   * On each new connection of a process that watches, until it and all others that hand out have compared what they saw
   * with what is stored there; undefined when nothing has to be waited for. Rejects with store_unavailable when that
   * does not come about.
   */
  get held(): Promise<void> | undefined {
    const { client } = this.#deps;
    if (!this.#watching || client.status !== 'ready' || client.stream === this.#trusted) return undefined;
    this.#held ??= hold();
    return withDeadline(HOLD_MS, this.#held.until, () => {
      throw new TryItNowError(
        'store_unavailable',
        'Valkey has come back and may have lost claims; nothing is handed out until every server has looked',
        { retryAfterMs: RETRY_AFTER_MS },
      );
    });
  }

  note(count: number): void {
    if (count > this.#seen) this.#seen = count;
  }

  /**
   * Compares the store's count with what was seen, and repairs it; what is held goes on once all others have done so as
   * well, or have been waited for in vain. Throws store_unavailable.
   */
  async check(): Promise<void> {
    for (let turn = 0; turn <= MAX_RECOVERIES; turn += 1) {
      const { stream } = this.#deps.client;
      const [count, run, looked, missing] = await this.#look();
      if (count < this.#seen) {
        await this.recover();
        continue;
      }
      if (await this.#isKept()) this.note(count);
      if (missing.length > 0) {
        if (this.#isOverdue(run)) await this.#giveUpOn(missing, count);
        return;
      }
      this.#others = { run, processes: looked };
      this.#trust(stream);
      return;
    }
  }

  /** What may be lost when a replica takes over was not handed out, and is not missed then. */
  async #isKept(): Promise<boolean> {
    try {
      await this.#deps.replicas.confirm();
      return true;
    } catch (error) {
      this.#deps.log.debug({ reason: describeError(error) }, 'Claims that no replica has are not remembered');
      return false;
    }
  }

  async #look(giveUp = false): Promise<WatchReply> {
    const { run, processes } = this.#others;
    return (await this.#deps.scripts.run(
      'watch-claims',
      [keys.claimCount, keys.claimers, keys.claimersLooked],
      [this.#deps.processId, CLAIMER_SILENCE_MS, this.#seen, giveUp ? FLAG.YES : FLAG.NO, run, ...processes],
    )) as WatchReply;
  }

  #trust(stream: Valkey['stream']): void {
    this.#doubt = undefined;
    this.#trusted = stream;
    this.#letGo();
  }

  #letGo(): void {
    this.#held?.end();
    this.#held = undefined;
  }

  #isOverdue(run: string): boolean {
    if (this.#doubt?.run !== run) this.#doubt = { run, since: performance.now() };
    return performance.now() - this.#doubt.since >= OTHERS_LOOK_WITHIN_MS;
  }

  /** What they claimed may never have come here: as if a claim were known to be lost. */
  async #giveUpOn(missing: readonly string[], count: number): Promise<void> {
    this.#deps.log.error(
      { processes: missing.length },
      'Servers that handed out instances have not come to this Valkey: what they claimed last may not be known here',
    );
    this.note(count + 1);
    await this.recover();
    await this.#look(true);
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

  /**
   * Checks now and then, and whenever there is a new connection, which claims wait for. Stopped once nothing is handed
   * out any more.
   */
  watch(onRolledBack: RolledBack): { readonly stop: () => Promise<void> } {
    const { client, log } = this.#deps;
    this.#onRolledBack = onRolledBack;
    this.#watching = true;
    const loop = new Loop({ name: 'rollback guard', intervalMs: WATCH_INTERVAL_MS, log }, (signal) =>
      this.#round(signal),
    );
    const lost = (): void => this.#letGo();
    const back = (): void => loop.retryNow();
    client.on('close', lost).on('ready', back);
    loop.start();
    return {
      stop: async () => {
        client.off('close', lost).off('ready', back);
        await loop.stop();
        this.#watching = false;
        this.#letGo();
        await this.#leave();
      },
    };
  }

  async #round(signal: AbortSignal): Promise<void> {
    await this.check();
    const { client } = this.#deps;
    while (client.status === 'ready' && client.stream !== this.#trusted && !signal.aborted) {
      await sleep(LOOK_AGAIN_MS, signal);
      await this.check();
    }
  }

  /** Nobody has to wait for this process: what it saw is stored. */
  async #leave(): Promise<void> {
    const { client, processId, log } = this.#deps;
    try {
      await Promise.all([client.zrem(keys.claimers, processId), client.hdel(keys.claimersLooked, processId)]);
    } catch (error) {
      log.warn({ reason: describeError(error) }, 'Could not sign off; after a failover the others will wait for this');
    }
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

function hold(): { until: Promise<void>; end: () => void } {
  let end = (): void => undefined;
  const until = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { until, end };
}

import { steadyClock as hostClock, type SteadyClock } from '../domain/clock.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { HEARTBEAT_LIFE_MS, type Heartbeat } from '../domain/node.ts';
import { sleep } from '../lifecycle/sleep.ts';
import type { LastHeard, NodeRegistry } from './interfaces/node-registry.ts';

export interface OwnNameDeps {
  readonly registry: Pick<NodeRegistry, 'beat' | 'lastHeard'>;
  readonly node: { readonly name: string; readonly address: string };
  readonly host: string;
  /** Of the kernel that this process runs on; undefined where it does not tell. */
  readonly boot: string | undefined;
  readonly log: Log;
  readonly steadyClock?: SteadyClock;
  readonly lookMs?: number;
}

const LOOK_MS = 500;
/**
 * A failover of the store that loses writes, or a store that is put back, shows something older in place of what was
 * said last, once. Who says something new again and again is alive.
 */
const NEWS_OF_THE_LIVING = 2;

interface Other {
  readonly text: string;
  readonly sinceMs: number;
  readonly news: number;
}

/**
 * That no other host goes by this node's name, such as one that this was cloned from, or that took its place while it
 * was cut off: each would take what the other has for lost, and end it. The heartbeat is a lease of the name: whoever
 * finds another host's does not replace it. It may be this host's own from before a reboot, so it is waited for its
 * end, or for the next ones: then this host has to go.
 */
export class OwnName {
  readonly #deps: OwnNameDeps;
  readonly #steadyClock: SteadyClock;
  readonly #taken: Promise<TryItNowError>;
  #giveUp: (error: TryItNowError) => void = () => undefined;
  #lost: TryItNowError | undefined;
  #other: Other | undefined;
  #sent = 0;
  #heldUntilMs = -Infinity;

  constructor(deps: OwnNameDeps) {
    this.#deps = deps;
    this.#steadyClock = deps.steadyClock ?? hostClock;
    this.#taken = new Promise((resolve) => (this.#giveUp = resolve));
  }

  /** Resolves once another host has the name: nothing may be done for the node from then on. */
  get taken(): Promise<TryItNowError> {
    return this.#taken;
  }

  /** Throws while another host may have the name, as when this one has not been heard of for as long as that takes. */
  requireHeld(): void {
    if (this.#steadyClock.passedMs() >= this.#heldUntilMs)
      throw new TryItNowError('store_unavailable', 'Whether the name of this node is still its own is not known');
  }

  /**
   * Waits for as long as another host may have the name, and says nothing. Resolves early when it is to stop. Throws
   * invalid_config when another one has it, and store_unavailable.
   */
  async waitUntilFree(stopping?: AbortSignal): Promise<void> {
    const { registry, boot, lookMs = LOOK_MS } = this.#deps;
    if (boot === undefined) return;
    while (stopping?.aborted !== true) {
      const heard = await registry.lastHeard();
      // Older versions do not say where they run.
      if (heard?.boot === undefined || heard.boot === boot || this.#isOver(heard)) return;
      await sleep(lookMs, stopping);
    }
  }

  /**
   * Says once what `heartbeat` answers, as soon as no other host has the name. Throws invalid_config when another one
   * has it, shutting_down when it is to stop meanwhile, and store_unavailable.
   */
  async say(heartbeat: () => Promise<Heartbeat>, stopping?: AbortSignal): Promise<{ readonly wasLost: boolean }> {
    const { registry, host, boot, lookMs = LOOK_MS } = this.#deps;
    let over: LastHeard | undefined;
    for (;;) {
      if (this.#lost !== undefined) throw this.#lost;
      const saidAtMs = this.#steadyClock.passedMs();
      this.#sent += 1;
      const own = boot === undefined ? {} : { host, boot, sequence: this.#sent };
      const { wasLost, other } = await registry.beat({ ...(await heartbeat()), ...own }, over);
      if (other === undefined) {
        this.#other = undefined;
        this.#heldUntilMs = saidAtMs + HEARTBEAT_LIFE_MS;
        return { wasLost };
      }
      this.#heldUntilMs = -Infinity;
      over = this.#isOver(other) ? other : undefined;
      if (over === undefined) await sleep(lookMs, stopping);
      if (stopping?.aborted === true)
        throw new TryItNowError('shutting_down', 'Told to stop while another host may have the name of this node');
    }
  }

  /**
   * That it has been the same for as long as a heartbeat counts, however the clocks of hosts are set. Throws
   * invalid_config for one that is alive.
   */
  #isOver({ text, host, address }: LastHeard): boolean {
    const { node, host: ownHost, log } = this.#deps;
    const nowMs = this.#steadyClock.passedMs();
    if (this.#other === undefined) {
      log.warn({ node: node.name, host }, 'Something runs under the name of this node; waiting for its end');
      this.#other = { text, sinceMs: nowMs, news: 0 };
    } else if (text !== this.#other.text) {
      this.#other = { text, sinceMs: nowMs, news: this.#other.news + 1 };
    }
    if (this.#other.news >= NEWS_OF_THE_LIVING) {
      this.#lost = new TryItNowError(
        'invalid_config',
        `NODE_NAME=${node.name} is the name of another host already, ${host ?? 'unnamed'} at ` +
          `${address ?? 'an unknown address'}, which is alive; this one, ${ownHost} at ${node.address}, needs a name ` +
          'of its own, or each would end the visits on the other',
      );
      this.#giveUp(this.#lost);
      throw this.#lost;
    }
    return nowMs - this.#other.sinceMs > HEARTBEAT_LIFE_MS;
  }
}

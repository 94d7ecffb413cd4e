import type { Probe, Reaction } from './interfaces/probe.ts';
import type { Upstream } from './interfaces/upstream.ts';

/** What runs reacts in milliseconds, and within this on a host that is very busy. */
const TIMEOUT_MS = 1_000;
/**
 * A connection costs the server twice the processor time of the rest of a claim. So many visitors at once, and then so
 * many a second, have theirs checked; an engine makes a few dozen new instances in a second. Of more, only so many are.
 */
const CHECKS_PER_BURST = 100;
const CHECKS_PER_SECOND = 200;
/** After a dead one, everybody's is checked: where one is dead, others may be. */
const ALARM_MS = 10_000;
/** After one that could not be reached, or two that were silent, nobody is given one of the same node for so long. */
const AVOIDED_MS = 5_000;

/** Looks whether an instance is alive, right before it is handed to a visitor. */
export class DeliveryCheck {
  readonly #probe: Pick<Probe, 'reacts'>;
  readonly #ownNode: string;
  readonly #nowMs: () => number;
  readonly #taken: LookBudget;
  /** Of its own: repeating is free, and must not have others' go unchecked. */
  readonly #held: LookBudget;
  #alarmUntilMs = -Infinity;
  readonly #avoidedUntilMs = new Map<string, number>();
  readonly #suspectUntilMs = new Map<string, number>();

  /** `ownNode`: of this host, which is there. */
  constructor(probe: Pick<Probe, 'reacts'>, ownNode: string, nowMs = () => performance.now()) {
    this.#probe = probe;
    this.#ownNode = ownNode;
    this.#nowMs = nowMs;
    this.#taken = new LookBudget(nowMs);
    this.#held = new LookBudget(nowMs);
  }

  /** Nodes that were not reached of late: whoever asked there waited a second for nothing. */
  avoided(): readonly string[] {
    const nowMs = this.#nowMs();
    for (const [node, untilMs] of this.#avoidedUntilMs) if (untilMs <= nowMs) this.#avoidedUntilMs.delete(node);
    return [...this.#avoidedUntilMs.keys()];
  }

  /**
   * Of one that was taken just now. False when nothing listens there, or what listens does not react: a stopped process
   * is not alive. A store that knows no address leaves us nothing to ask; the reconciler sees to that.
   */
  async isAlive(node: string, upstream: Upstream | undefined): Promise<boolean> {
    if (this.avoided().includes(node)) return false;
    if (upstream === undefined || !this.#mayCheckTaken()) return true;
    const seen = await this.#probe.reacts(upstream, TIMEOUT_MS);
    if ((seen === 'unreachable' || seen === 'silent') && node !== this.#ownNode) this.#suspect(node, seen);
    const alive = passes(seen);
    if (!alive) this.#alarmUntilMs = this.#nowMs() + ALARM_MS;
    return alive;
  }

  /**
   * Of one that its visitor has already. What runs in it is for them to say, so nothing is concluded about its node or
   * others'.
   */
  async stillReacts(node: string, upstream: Upstream | undefined): Promise<boolean> {
    if (upstream === undefined) return true;
    // Whoever cannot be asked is looked for by other means.
    if (this.avoided().includes(node) || !this.#held.spend()) return false;
    return passes(await this.#probe.reacts(upstream, TIMEOUT_MS));
  }

  /** One that is silent may be stopped; of two on one node in a row, the node hangs. */
  #suspect(node: string, seen: 'unreachable' | 'silent'): void {
    const nowMs = this.#nowMs();
    if (seen === 'unreachable' || (this.#suspectUntilMs.get(node) ?? 0) > nowMs)
      this.#avoidedUntilMs.set(node, nowMs + AVOIDED_MS);
    this.#suspectUntilMs.set(node, nowMs + AVOIDED_MS);
  }

  #mayCheckTaken(): boolean {
    return this.#nowMs() < this.#alarmUntilMs || this.#taken.spend();
  }
}

/** How many looks there may be. */
class LookBudget {
  readonly #nowMs: () => number;
  #looks = CHECKS_PER_BURST;
  #refilledAtMs: number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#refilledAtMs = nowMs();
  }

  spend(): boolean {
    const nowMs = this.#nowMs();
    this.#looks = Math.min(CHECKS_PER_BURST, this.#looks + ((nowMs - this.#refilledAtMs) * CHECKS_PER_SECOND) / 1_000);
    this.#refilledAtMs = nowMs;
    if (this.#looks < 1) return false;
    this.#looks -= 1;
    return true;
  }
}

function passes(seen: Reaction): boolean {
  return seen === 'reacts' || seen === 'unknown';
}

import type { SteadyClock } from '../domain/clock.ts';
import type { Instance } from '../domain/instance.ts';
import { HEARTBEAT_INTERVAL_MS, HEARTBEAT_LIFE_MS, type FleetNode } from '../domain/node.ts';
import type { ClaimStore } from './interfaces/claim-store.ts';
import type { Inventory } from './interfaces/inventory.ts';
import type { NodeRegistry } from './interfaces/node-registry.ts';
import type { Probe } from './interfaces/probe.ts';
import type { Turn } from './interfaces/turn.ts';
import { releaseEach, releaseInstance, type ReleaseDeps } from './release.ts';

/** After a longer gap between two looks it may have been this process that heard nothing, or stood still. */
const LOOK_GAP_MS = 4_000;
/** Since the store is seen: every node has said something by then, also one that was about to when it came back. */
const GRACE_MS = 2 * HEARTBEAT_INTERVAL_MS;
/** A host that restarts, or a network that is repaired, is back by then as a rule. */
export const VISITS_KEPT_MS = 5 * 60_000;
const PROBE_MS = 1_000;
/** How long a server has its turn: a few rounds. */
const TURN_MS = 5_000;
/** Of the visits of a lost node, so many are looked at in one round. */
const BATCH = 50;

export interface NodeLossesDeps extends ReleaseDeps {
  readonly registry: Pick<NodeRegistry, 'nodes' | 'noteLoss'>;
  readonly inventory: Pick<Inventory, 'readyOn' | 'visits' | 'leavingOn'>;
  readonly claimStore: Pick<ClaimStore, 'uncountClaim'>;
  readonly probe: Pick<Probe, 'reacts'>;
  readonly steadyClock: SteadyClock;
  readonly node: { readonly name: string };
  /** Of several servers one withdraws at a time. */
  readonly turn: Turn;
}

/**
 * Finds nodes whose hosts are lost, by their heartbeats alone, and sees to what is recorded there. What is ready is
 * withdrawn at once. What visitors hold is theirs as long as it can be reached, and for VISITS_KEPT_MS in any case: a
 * host that comes back has them go on. The rest of the records waits for the node, or for an operator who removes it.
 */
export class NodeLosses {
  readonly #deps: NodeLossesDeps;
  #lookedAtMs = -Infinity;
  #seenSinceMs = -Infinity;
  /** When each node has sent the last heartbeat that was seen here. */
  #heardMs: ReadonlyMap<string, number> = new Map();
  #lost: ReadonlySet<string> = new Set();
  #stranded: ReadonlyMap<string, number> = new Map();

  constructor(deps: NodeLossesDeps) {
    this.#deps = deps;
  }

  /** Nodes that are lost, as last looked. */
  get lost(): ReadonlySet<string> {
    return this.#lost;
  }

  /** Instances of the template that are to be taken down on lost nodes: they take no room on the others. */
  stranded(template: string): number {
    return this.#stranded.get(template) ?? 0;
  }

  /** Throws store_unavailable. */
  async round(): Promise<void> {
    const nodes = await this.#deps.registry.nodes();
    const fallen = await this.#noteLosses(nodes);
    const lost = nodes.filter(({ name, lostForMs }) => lostForMs !== undefined || fallen.has(name));
    for (const name of this.#lost)
      if (!lost.some((node) => node.name === name))
        this.#deps.log.info({ node: name }, 'A node that was lost is heard of again, or was removed');
    this.#lost = new Set(lost.map(({ name }) => name));
    if (lost.length > 0 && (await this.#deps.turn.take(TURN_MS))) for (const node of lost) await this.#settle(node);
    const before = this.#stranded;
    this.#stranded = await this.#leavingOn(lost);
    const isMore = [...this.#stranded].some(([template, count]) => count > (before.get(template) ?? 0));
    // Only now is it known that they take no room elsewhere, also by servers that withdrew nothing.
    if (isMore) this.#deps.requestRefill();
  }

  async #leavingOn(nodes: readonly FleetNode[]): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    for (const { name } of nodes)
      for (const [template, count] of await this.#deps.inventory.leavingOn(name))
        counts.set(template, (counts.get(template) ?? 0) + count);
    return counts;
  }

  /** Every server sees them as lost from here on. */
  async #noteLosses(nodes: readonly FleetNode[]): Promise<ReadonlySet<string>> {
    const { steadyClock, node: own, registry, log } = this.#deps;
    const now = steadyClock.passedMs();
    if (now - this.#lookedAtMs > LOOK_GAP_MS) this.#seenSinceMs = now;
    this.#lookedAtMs = now;
    this.#heardMs = new Map(nodes.map((node) => [node.name, this.#lastHeard(node, now)]));
    const fallen = new Set<string>();
    if (now - this.#seenSinceMs < GRACE_MS) return fallen;
    for (const { name, heartbeatAgeMs, lostForMs, losses } of nodes) {
      if (name === own.name || heartbeatAgeMs !== undefined || lostForMs !== undefined) continue;
      // The store's clock may have been set forward: then the heartbeats of all have ended at once.
      if (now - (this.#heardMs.get(name) ?? -Infinity) < HEARTBEAT_LIFE_MS) continue;
      if (!(await registry.noteLoss(name))) continue;
      fallen.add(name);
      log.error(
        { node: name, losses: losses + 1 },
        'A node is not heard of any more and taken for lost: what it has ready is withdrawn, its visits are kept for ' +
          'five minutes; if its host is gone for good, remove it (`try-it-now nodes remove`)',
      );
    }
    return fallen;
  }

  /** An age is by the store's clock, so the first look at a heartbeat knows best when it came. */
  #lastHeard({ name, heartbeatAgeMs }: FleetNode, now: number): number {
    const before = this.#heardMs.get(name) ?? -Infinity;
    return heartbeatAgeMs === undefined ? before : Math.max(before, now - heartbeatAgeMs);
  }

  async #settle({ name, address, lostForMs = 0 }: FleetNode): Promise<void> {
    const { inventory, log } = this.#deps;
    const ready = await inventory.readyOn(name);
    await releaseEach(this.#deps, ready, 'node_lost', ['ready']);
    if (ready.length > 0) log.warn({ node: name, instances: ready.length }, 'What a lost node had ready is withdrawn');
    if (lostForMs >= VISITS_KEPT_MS)
      await this.#endVisits({ name, address }, (await inventory.visits(name)).slice(0, BATCH));
  }

  /** A node may be cut off from us and not from its visitors: what reacts is left to them. */
  async #endVisits({ name, address }: Pick<FleetNode, 'name' | 'address'>, visits: readonly Instance[]): Promise<void> {
    const ended = await Promise.all(
      visits.map(async (visit) => {
        if (await this.#isReached(visit, address)) return false;
        const { generation } = visit;
        const gone = await releaseInstance(this.#deps, visit, 'node_lost', { from: ['assigned'], generation });
        // Nothing came of the rest of it: they may begin again.
        if (gone?.client !== undefined) await this.#deps.claimStore.uncountClaim(gone.client);
        return gone !== undefined;
      }),
    );
    const count = ended.filter(Boolean).length;
    if (count > 0) this.#deps.log.warn({ node: name, visits: count }, 'Visits on a lost node have ended');
  }

  async #isReached({ port }: Instance, address: string | undefined): Promise<boolean> {
    if (address === undefined || port === null) return false;
    const seen = await this.#deps.probe.reacts({ address, port }, PROBE_MS);
    return seen === 'reacts';
  }
}

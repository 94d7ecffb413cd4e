import type { Log } from '../domain/log.ts';
import { memoryRoom, type Room } from '../domain/memory-room.ts';
import { UNKNOWN_LEAD_MS, decideSize, type PoolSize, type Wish } from '../domain/pool-size.ts';
import { containerTemplates, type Catalogue, type Template } from '../domain/template.ts';
import type { Breakers } from './interfaces/breakers.ts';
import type { Inventory, PoolStats } from './interfaces/inventory.ts';
import type { NodeRegistry } from './interfaces/node-registry.ts';
import type { PoolControls } from './interfaces/pool-controls.ts';
import type { PoolSizes } from './interfaces/pool-sizes.ts';
import type { Turn } from './interfaces/turn.ts';
import { refillable } from './refillable.ts';
import { releaseEach, type ReleaseDeps } from './release.ts';
import { ScheduledWishes } from './scheduled-wishes.ts';

export interface SizePoolsDeps extends ReleaseDeps {
  readonly catalogue: Catalogue;
  readonly inventory: Pick<Inventory, 'stats'>;
  readonly controls: Pick<PoolControls, 'read'>;
  readonly breakers: Pick<Breakers, 'read'>;
  readonly poolSizes: Omit<PoolSizes, 'putEvent' | 'removeEvent'>;
  readonly registry: Pick<NodeRegistry, 'nodes'>;
  /** Of several servers the one that looks after the pool decides. */
  readonly leads: Pick<Turn, 'held' | 'confirm'>;
  readonly log: Log;
}

/** Of idle ones beyond the target, this share goes at each round: visitors who come just then still find some. */
const SURPLUS_SHARE = 1 / 4;

/**
 * Decides how many instances stand ready of each template that says so, from what visitors, operators and the calendar
 * want. The decision is kept in the store, where every planner finds it: whoever decides may end at any time.
 */
export class PoolSizing {
  readonly #deps: SizePoolsDeps;
  readonly #scheduled = new ScheduledWishes();

  constructor(deps: SizePoolsDeps) {
    this.#deps = deps;
  }

  /** Throws store_unavailable. */
  async round(): Promise<void> {
    const { catalogue, inventory, controls, breakers, poolSizes, registry, leads } = this.#deps;
    if (!leads.held || !(await leads.confirm())) return;
    const templates = catalogue.all();
    const names = templates.map(({ name }) => name);
    const [nodes, stats, decided, broken, sizes] = await Promise.all([
      registry.nodes(),
      inventory.stats(templates),
      controls.read(names),
      breakers.read(names),
      poolSizes.read(names),
    ]);
    const room = memoryRoom(nodes);
    for (const template of templates) room.begun(template, bytesOf(template), stats.get(template.name)?.warming ?? 0);
    for (const template of templates) {
      const { name } = template;
      const [pool, control, breaker] = [stats.get(name), decided.get(name), broken.get(name)];
      if (pool === undefined || control === undefined || breaker === undefined) continue;
      const before = sizes.get(name);
      const size = await this.#decide(template, pool, before, room);
      if (size !== undefined) room.take(template, bytesOf(template), refillable(pool, control, breaker, size.target));
      if (await poolSizes.decide(name, size)) this.#deps.log.info({ template: name }, 'An operator’s target has ended');
      if (size === undefined) continue;
      this.#tell(name, before, size);
      if (control.target === undefined && control.mode === 'open') await this.#letGo(name, pool, size.target);
    }
  }

  async #decide(
    template: Template,
    { ready, warming }: PoolStats,
    previous: PoolSize | undefined,
    room: Room,
  ): Promise<PoolSize | undefined> {
    const { name, pool } = template;
    const { autosize } = pool;
    if (autosize === undefined) return undefined;
    const { poolSizes } = this.#deps;
    const [demand, events] = await Promise.all([poolSizes.demand(name), poolSizes.events(name)]);
    const { nowMs, recent, lastWeek, pace } = demand;
    return decideSize(autosize, previous, {
      ...{ nowMs, recent, lastWeek },
      pace: {
        leadMs: pace?.leadMs ?? previous?.leadMs ?? UNKNOWN_LEAD_MS,
        intervalMs: pace?.intervalMs ?? previous?.intervalMs,
      },
      wishes: [
        ...this.#scheduled.at(autosize.schedule, nowMs),
        ...events.map((event): Wish => ({ ...event, kind: 'event' })),
      ],
      room: ready + warming + room.more(template, bytesOf(template)),
    });
  }

  #tell(template: string, before: PoolSize | undefined, size: PoolSize): void {
    const { log, requestRefill } = this.#deps;
    if (before?.bound !== size.bound && size.bound !== undefined)
      log.warn(
        { template, target: size.target, need: size.need, bound: size.bound },
        'A pool cannot become as large as it should',
      );
    if (before?.target === size.target) return;
    const { target, reason, clicksPerMinute, leadMs } = size;
    log.info({ template, from: before?.target, target, reason, clicksPerMinute, leadMs }, 'A pool has sized itself');
    if (target > (before?.target ?? 0)) requestRefill();
  }

  /** Idle ones alone: what a visitor has taken meanwhile stays theirs. */
  async #letGo(template: string, { ready, waiting }: PoolStats, target: number): Promise<void> {
    if (ready <= target || waiting > 0) return;
    const surplus = await this.#deps.poolSizes.idle(template, Math.ceil((ready - target) * SURPLUS_SHARE));
    await releaseEach(this.#deps, surplus, 'surplus', ['ready']);
  }
}

/** What one of it may take at most. */
function bytesOf(template: Template): number {
  return containerTemplates(template).reduce((sum, { limits }) => sum + limits.memoryBytes, 0);
}

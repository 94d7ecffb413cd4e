import type { CheckpointOffer } from '../domain/checkpoint.ts';
import type { SteadyClock } from '../domain/clock.ts';
import type { Catalogue } from '../domain/template.ts';
import type { NodeRegistry } from './interfaces/node-registry.ts';
import type { ProcessRegistry } from './interfaces/process-registry.ts';

export interface OffersOfGoneTemplatesDeps {
  readonly catalogue: Pick<Catalogue, 'get'>;
  readonly processes: Pick<ProcessRegistry, 'everyone'>;
  readonly registry: Pick<NodeRegistry, 'nodes'>;
  readonly steadyClock: SteadyClock;
}

/** Longer than an upgrade, or the repair of a host whose templates no other host has. */
const GONE_FOR_MS = 24 * 3_600_000;

/**
 * Of the copies that were left for others, those of templates that were taken out, or have ended: they are promoted as
 * before, so that they are there when the template comes back.
 */
export class OffersOfGoneTemplates {
  readonly #deps: OffersOfGoneTemplatesDeps;
  /** By checkpoint, since when nobody offers its template, as far as this process has looked: a whole day by itself. */
  readonly #goneSince = new Map<string, number>();

  constructor(deps: OffersOfGoneTemplatesDeps) {
    this.#deps = deps;
  }

  /** Ids of those that nobody has needed for a day, and that a node could leave again. Throws store_unavailable. */
  async removable(offers: ReadonlyMap<string, CheckpointOffer>): Promise<ReadonlySet<string>> {
    const { catalogue, processes, registry, steadyClock } = this.#deps;
    const gone = [...offers].filter(([, { metadata }]) => catalogue.get(metadata.template) === undefined);
    const running = gone.length === 0 ? [] : await processes.everyone();
    // Others may run that have not said so again.
    if (running === undefined) return new Set();
    const offered = new Set(running.flatMap(({ templates }) => Object.keys(templates)));
    const ids = gone.filter(([, { metadata }]) => !offered.has(metadata.template)).map(([id]) => id);
    for (const id of this.#goneSince.keys()) if (!ids.includes(id)) this.#goneSince.delete(id);
    const nowMs = steadyClock.passedMs();
    for (const id of ids) if (!this.#goneSince.has(id)) this.#goneSince.set(id, nowMs);
    const due = ids.filter((id) => nowMs - (this.#goneSince.get(id) ?? nowMs) >= GONE_FOR_MS);
    if (due.length === 0) return new Set();
    const nodes = await registry.nodes();
    // The last copy there is stays.
    return new Set(due.filter((id) => nodes.some(({ heartbeat }) => heartbeat?.checkpoints.includes(id) === true)));
  }
}

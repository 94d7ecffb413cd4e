import { ERROR_CATALOGUE, TryItNowError, describeError, type ErrorCode } from '../domain/errors.ts';
import type { Diagnosed, OperatorJob } from '../domain/operator-job.ts';
import type { PoolSample } from '../domain/pool-sample.ts';
import type {
  CatalogueState,
  ImageSnapshot,
  InstanceSnapshot,
  NodeSnapshot,
  Operators,
  PoolSnapshot,
  PreviewSnapshot,
  QueueInfo,
} from '../http/admin/operators.ts';

/** What could be read, or why not. */
export type Part<T> = { readonly value: T } | { readonly trouble: Trouble };

export interface Trouble {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
}

/** How the deployment stands, as far as its parts answer. */
export interface Snapshot {
  readonly atMs: number;
  readonly pools: Part<readonly PoolSnapshot[]>;
  readonly queue: Part<QueueInfo>;
  readonly nodes: Part<readonly NodeSnapshot[]>;
  readonly images: Part<readonly ImageSnapshot[]>;
  readonly catalogue: Part<CatalogueState>;
  readonly previews: Part<readonly PreviewSnapshot[]>;
  /** By template, the oldest sample first; none of those that cannot be read. */
  readonly history: ReadonlyMap<string, readonly PoolSample[]>;
  /** What could not be taken down; none where that cannot be read. */
  readonly quarantined: readonly InstanceSnapshot[];
  /** What operators began in this server, the newest first. */
  readonly jobs: readonly OperatorJob[];
  readonly diagnosed: Diagnosed | undefined;
}

const FRESH_MS = 1_000;
/** As often as there is a new sample. */
const HISTORY_FRESH_MS = 10_000;

/** At most one look a second, however many browsers and pages ask: they share it. */
export class Snapshots {
  readonly #operators: Operators;
  #latest: { readonly startedAt: number; readonly snapshot: Promise<Snapshot> } | undefined;

  #history: { readonly readAt: number; readonly of: Snapshot['history'] } = { readAt: -Infinity, of: new Map() };

  constructor(operators: Operators) {
    this.#operators = operators;
  }

  /** Never throws: what cannot be read says why. */
  now(): Promise<Snapshot> {
    const at = performance.now();
    if (this.#latest === undefined || at - this.#latest.startedAt >= FRESH_MS)
      this.#latest = { startedAt: at, snapshot: this.#look() };
    return this.#latest.snapshot;
  }

  /** After something was changed: what is shown next is not older than the change. */
  forget(): void {
    this.#latest = undefined;
  }

  async #look(): Promise<Snapshot> {
    const [pools, queue, nodes, images, catalogue, previews] = await Promise.all([
      part(this.#operators.pools()),
      part(this.#operators.queue()),
      part(this.#operators.nodes()),
      part(this.#operators.images()),
      part(this.#operators.catalogue()),
      part(this.#operators.previews()),
    ]);
    const history =
      'value' in pools ? await this.#samples(pools.value.map(({ template }) => template)) : this.#history.of;
    const quarantined = await this.#quarantined(pools);
    const [jobs, diagnosed] = [this.#operators.jobs(), this.#operators.diagnosed()];
    return {
      ...{ atMs: Date.now(), pools, queue, nodes, images, catalogue, previews },
      ...{ history, quarantined, jobs, diagnosed },
    };
  }

  /** Asked for only while something is leaving. */
  async #quarantined(pools: Snapshot['pools']): Promise<Snapshot['quarantined']> {
    if (!('value' in pools) || pools.value.every(({ stats }) => stats.leaving === 0)) return [];
    const filter = { template: undefined, state: 'quarantined', node: undefined } as const;
    const found = await part(this.#operators.instances(filter));
    return 'value' in found ? found.value : [];
  }

  async #samples(templates: readonly string[]): Promise<Snapshot['history']> {
    const now = performance.now();
    if (now - this.#history.readAt < HISTORY_FRESH_MS) return this.#history.of;
    const read = await Promise.all(
      templates.map(async (template) => [template, await part(this.#operators.history(template))] as const),
    );
    const of = new Map(
      read.flatMap(([template, found]) => ('value' in found ? [[template, found.value] as const] : [])),
    );
    this.#history = { readAt: now, of };
    return of;
  }
}

/** Never throws. */
export async function part<T>(reading: Promise<T>): Promise<Part<T>> {
  try {
    return { value: await reading };
  } catch (error) {
    return { trouble: troubleOf(error) };
  }
}

function troubleOf(thrown: unknown): Trouble {
  const code = thrown instanceof TryItNowError ? thrown.code : 'internal_error';
  return { code, message: describeError(thrown), remedy: ERROR_CATALOGUE[code].remedy };
}

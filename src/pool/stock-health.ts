import type { Instance } from '../domain/instance.ts';
import type { Catalogue } from '../domain/template.ts';
import type { Census, Probe } from './ports.ts';
import { sendAway, type ReleaseParts } from './release.ts';

export interface StockHealthParts extends ReleaseParts {
  readonly catalogue: Catalogue;
  readonly census: Pick<Census, 'list'>;
  readonly probe: Pick<Probe, 'ask'>;
  readonly node: { readonly name: string; readonly address: string };
}

/** One look that fails may be bad luck, or a busy machine's. */
const FAILED_LOOKS = 2;
const AT_ONCE = 8;
const PATIENCE_MS = 2_000;

/** Looks after this node's ready instances, so that a visitor is not the first to find a dead one. */
export class StockHealth {
  readonly #parts: StockHealthParts;
  /** Failed looks in a row, by instance. */
  #failed: ReadonlyMap<string, number> = new Map();

  constructor(parts: StockHealthParts) {
    this.#parts = parts;
  }

  /** One look at each of them, at its app's own port. What fails twice in a row is replaced. */
  async round(signal: AbortSignal): Promise<void> {
    const { census, node, observer } = this.#parts;
    const ready = (await census.list()).filter((record) => record.state === 'ready' && record.node === node.name);
    const failed = new Map<string, number>();
    const queue = [...ready];
    const look = async (): Promise<void> => {
      for (let record = queue.shift(); record !== undefined; record = queue.shift()) {
        const healthy = await this.#answers(record, signal);
        // Cut off, it says nothing about the instance.
        if (signal.aborted) return;
        if (healthy === undefined) continue;
        observer.stockChecked(record.template, healthy);
        if (!healthy) failed.set(record.id, (this.#failed.get(record.id) ?? 0) + 1);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, look));
    if (signal.aborted) return;
    this.#failed = failed;
    await this.#replace(
      ready.filter(({ id }) => (failed.get(id) ?? 0) >= FAILED_LOOKS),
      ready,
    );
  }

  /** Undefined for one that cannot be looked at: its template is no longer offered, so the reconciler retires it. */
  async #answers({ template: name, port }: Instance, signal: AbortSignal): Promise<boolean | undefined> {
    const { catalogue, probe, node } = this.#parts;
    const template = catalogue.get(name);
    if (template === undefined || port === null) return undefined;
    try {
      const { status } = await probe.ask(
        { url: `http://${node.address}:${port}${template.readiness.path}`, timeoutMs: PATIENCE_MS },
        signal,
      );
      return status < 400;
    } catch {
      return false;
    }
  }

  /** At most half of a template's in one round, so that a fault of ours, or of the whole machine, does not empty its pool at once. */
  async #replace(unhealthy: readonly Instance[], ready: readonly Instance[]): Promise<void> {
    const { log } = this.#parts;
    for (const name of new Set(unhealthy.map(({ template }) => template))) {
      const of = (records: readonly Instance[]) => records.filter(({ template }) => template === name);
      const allowed = Math.max(1, Math.floor(of(ready).length / 2));
      for (const record of of(unhealthy).slice(0, allowed)) {
        // A visitor who has taken it meanwhile changed the generation; whether it serves him is looked at on the way.
        const gone = await sendAway(this.#parts, record, 'unhealthy', {
          from: ['ready'],
          generation: record.generation,
        });
        if (gone !== undefined)
          log.warn(
            { instance: record.id, template: name, container: record.container },
            'A ready instance does not answer any more; it is replaced',
          );
      }
    }
  }
}

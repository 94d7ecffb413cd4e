import type { Clock } from '../domain/clock.ts';
import { describeError } from '../domain/errors.ts';
import type { Instance } from '../domain/instance.ts';
import type { Log } from '../domain/log.ts';
import type { Catalogue } from '../domain/template.ts';
import type { Consumption } from './interfaces/consumption.ts';
import type { Observer } from './interfaces/observer.ts';

type Holder = Pick<Instance, 'id' | 'template' | 'state' | 'container' | 'readyAtMs'>;

export interface SwapOutStockDeps {
  readonly catalogue: Catalogue;
  readonly inventory: { ofNode(node: string): Promise<readonly Holder[]> };
  readonly consumption: Pick<Consumption, 'swap' | 'swapOut'>;
  readonly observer: Pick<Observer, 'swappedOut'>;
  readonly node: { readonly name: string };
  readonly clock: Clock;
  readonly log: Log;
}

/** What an app still does once it is ready, and what its first health check needs, is over by then. */
const SETTLED_MS = 20_000;
/** The rest of swap is for the host. */
const LEFT_SHARE = 0.2;
/** Each has the kernel at work for some tenths of a second. */
const AT_MOST = 10;

/**
 * Has what ready instances hold written to swap, once each, where their templates say so: they wait for somebody and
 * need next to nothing of it. Who gets one waits some hundredths of a second longer for the first page.
 */
export class SwapOutStock {
  readonly #deps: SwapOutStockDeps;
  #done: ReadonlySet<string> = new Set();
  #refused = false;

  constructor(deps: SwapOutStockDeps) {
    this.#deps = deps;
  }

  /** Some of them, one after another, until the signal. Throws store_unavailable. */
  async round(signal: AbortSignal): Promise<void> {
    const { catalogue, inventory, node, clock } = this.#deps;
    const asking = new Set(catalogue.all().flatMap(({ name, memory }) => (memory === 'swap' ? [name] : [])));
    if (asking.size === 0) return;
    const stock = (await inventory.ofNode(node.name)).filter(
      ({ state, template }) => state === 'ready' && asking.has(template),
    );
    const done = new Set(stock.flatMap(({ id }) => (this.#done.has(id) ? [id] : [])));
    this.#done = done;
    const settledMs = clock.now() - SETTLED_MS;
    const due = stock.filter(({ id, readyAtMs }) => !done.has(id) && readyAtMs !== null && readyAtMs <= settledMs);
    for (const record of due.slice(0, AT_MOST)) {
      if (signal.aborted || !(await this.#swapOut(record))) return;
      done.add(record.id);
    }
  }

  async #swapOut({ container, template }: Holder): Promise<boolean> {
    const { consumption, observer } = this.#deps;
    const swap = await consumption.swap();
    if (swap === undefined || swap.free <= swap.total * LEFT_SHARE)
      return this.#refuse(
        swap?.total === 0 ? 'this host has no swap' : 'there is no room left in the swap of this host',
      );
    try {
      await consumption.swapOut(container);
    } catch (error) {
      return this.#refuse(describeError(error));
    }
    observer.swappedOut(template);
    this.#refused = false;
    return true;
  }

  #refuse(reason: string): false {
    if (!this.#refused)
      this.#deps.log.warn({ reason }, 'Ready instances with `memory: swap` stay in memory, and take as much as others');
    this.#refused = true;
    return false;
  }
}

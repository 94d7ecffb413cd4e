import { describeError } from '../domain/errors.ts';
import type { Instance } from '../domain/instance.ts';
import type { Log } from '../domain/log.ts';
import type { Catalogue } from '../domain/template.ts';
import type { Consumption } from './interfaces/consumption.ts';
import type { Observer } from './interfaces/observer.ts';
import type { PageMerging, PageMergingState } from './interfaces/page-merging.ts';

type Holder = Pick<Instance, 'template' | 'state' | 'container'>;

export interface ShareMemoryDeps {
  readonly catalogue: Catalogue;
  readonly inventory: { ofNode(node: string): Promise<readonly Holder[]> };
  readonly consumption: Pick<Consumption, 'memoryOf'>;
  readonly pageMerging: PageMerging;
  readonly observer: Pick<Observer, 'memoryShared' | 'instanceMemory'>;
  readonly node: { readonly name: string };
  readonly log: Log;
}

/** A page is merged when its second look finds it unchanged, and another one that holds the same was there before. */
const LEAST_ROUNDS = 3;
/** Of what is saved: with less in a whole round more, it is not worth a processor's time. */
const WORTH = 0.01;
/** Instances of each template whose memory is looked at in a round: that costs about a millisecond for each process. */
const SAMPLED = 4;
/** In every such round, the first among them. */
const SAMPLE_EVERY = 12;

/**
 * Has the kernel merge what the instances hold in common whose templates allow it: while new ones are there it looks
 * for equal pages, and once a look finds hardly any more it stops. What is merged stays so. Tells what an instance
 * takes.
 */
export class MemorySharing {
  readonly #deps: ShareMemoryDeps;
  #known: ReadonlySet<string> = new Set();
  /** Since the last new instance: the rounds of the kernel then, and what its last whole one found. */
  #from: { readonly rounds: number; readonly seen: PageMergingState } | undefined;
  /** What a process that was killed had the kernel do has been ended, if it is to. */
  #isTakenOver = false;
  #refused = false;
  #round = 0;

  constructor(deps: ShareMemoryDeps) {
    this.#deps = deps;
  }

  /** Throws store_unavailable. */
  async round(): Promise<void> {
    const { catalogue, inventory, node } = this.#deps;
    const isTime = this.#round % SAMPLE_EVERY === 0;
    this.#round += 1;
    const shared = new Set(catalogue.all().flatMap(({ name, memory }) => (memory === 'share' ? [name] : [])));
    if (!isTime && shared.size === 0) return;
    const held = (await inventory.ofNode(node.name)).filter(({ state }) => state === 'ready' || state === 'assigned');
    if (isTime) await this.#tellMemory(held.filter(({ state }) => state === 'ready'));
    await this.#look(new Set(held.filter(({ template }) => shared.has(template)).map(({ container }) => container)));
  }

  /** The kernel goes on without us otherwise. What another process of this node has it do is left as it is. */
  async stop(): Promise<void> {
    if (this.#from !== undefined) await this.#have(false);
    this.#from = undefined;
    this.#known = new Set();
  }

  async #look(containers: ReadonlySet<string>): Promise<void> {
    const { pageMerging, observer } = this.#deps;
    const state = await pageMerging.read();
    if (state === undefined) return;
    observer.memoryShared(state.savedBytes, state.processorMs);
    const grew = [...containers].some((container) => !this.#known.has(container));
    this.#known = containers;
    if (grew) this.#from = { rounds: state.rounds, seen: state };
    if (this.#from === undefined && this.#isTakenOver) return;
    this.#isTakenOver = true;
    await this.#have(!this.#isSettled(state));
  }

  /** Forgets what it waited for once it is. */
  #isSettled(state: PageMergingState): boolean {
    const from = this.#from;
    if (from === undefined) return true;
    if (this.#known.size > 0 && state.rounds < from.rounds + LEAST_ROUNDS) return false;
    const found = state.savedBytes - from.seen.savedBytes;
    if (this.#known.size > 0 && found > state.savedBytes * WORTH) {
      if (state.rounds > from.seen.rounds) this.#from = { rounds: from.rounds, seen: state };
      return false;
    }
    this.#from = undefined;
    return true;
  }

  async #have(look: boolean): Promise<void> {
    try {
      await this.#deps.pageMerging.look(look);
      this.#refused = false;
    } catch (error) {
      if (!this.#refused)
        this.#deps.log.warn(
          { reason: describeError(error) },
          'The kernel cannot be told when to merge memory; instances with `memory: share` take as much as others',
        );
      this.#refused = true;
    }
  }

  async #tellMemory(ready: readonly Holder[]): Promise<void> {
    const { catalogue, consumption, observer } = this.#deps;
    for (const { name } of catalogue.all()) {
      const sample = ready.filter(({ template }) => template === name).slice(0, SAMPLED);
      const sizes = await Promise.all(
        sample.map(({ container }) => consumption.memoryOf(container).catch(() => undefined)),
      );
      const known = sizes.filter((bytes) => bytes !== undefined);
      if (known.length > 0) observer.instanceMemory(name, known.reduce((all, bytes) => all + bytes, 0) / known.length);
    }
  }
}

import type { ContainerRuntime } from './interfaces/container-runtime.ts';

/** For so long a container counts as running that was seen to. */
const KEPT_MS = 1_000;

interface Look {
  readonly begunAtMs: number;
  readonly names: Promise<ReadonlySet<string>>;
  over: boolean;
}

/**
 * Which containers of this node run. However many ask, and how often, the engine lists them once at a time: whoever has
 * an instance can have it asked as often as they like, beside what starts and removes containers.
 */
export class RunningContainers {
  readonly #runtime: Pick<ContainerRuntime, 'list'>;
  readonly #nowMs: () => number;
  #latest: Look | undefined;
  /** That of all who need one that has not begun. */
  #next: Promise<Look> | undefined;

  constructor(runtime: Pick<ContainerRuntime, 'list'>, nowMs = () => performance.now()) {
    this.#runtime = runtime;
    this.#nowMs = nowMs;
  }

  /** Throws engine_unavailable. */
  async includes(name: string): Promise<boolean> {
    const known = this.#latest;
    if (known !== undefined && (!known.over || this.#nowMs() - known.begunAtMs < KEPT_MS))
      if ((await known.names).has(name)) return true;
    // What it did not see may have been started since.
    return (await (await this.#lookAgain()).names).has(name);
  }

  #lookAgain(): Promise<Look> {
    this.#next ??= this.#afterLatest();
    return this.#next;
  }

  async #afterLatest(): Promise<Look> {
    // What came of it is for those who asked.
    await this.#latest?.names.catch(() => undefined);
    this.#next = undefined;
    const names = this.#runtime
      .list()
      .then((all) => new Set(all.filter(({ running }) => running).map((each) => each.name)));
    const look: Look = { begunAtMs: this.#nowMs(), names, over: false };
    this.#latest = look;
    const end = (): void => {
      look.over = true;
    };
    names.then(end, end);
    return look;
  }
}

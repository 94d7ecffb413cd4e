import type { FoundImage } from '../../domain/image-pin.ts';
import type { InstanceValues } from '../../domain/placeholders.ts';
import type { Template } from '../../domain/template.ts';

export interface ContainerSpec {
  readonly name: string;
  /** Undefined for one that is no instance: the source of a checkpoint, or a clone that is only tried. */
  readonly instanceId: string | undefined;
  readonly template: Template;
  readonly hostPort: number;
  /** Added to the template's environment. */
  readonly env: Readonly<Record<string, string>>;
  /** What the template's placeholders stand for; one without a value fails the start. */
  readonly values?: InstanceValues;
  /** The reconciler leaves it alone until then (ms since the epoch), although no record knows it. */
  readonly keepUntilMs?: number;
}

export interface ContainerSummary {
  readonly name: string;
  /** As given at its start; undefined for an instance's. */
  readonly keepUntilMs?: number;
  /** From our label; undefined when it is missing or malformed. */
  readonly instanceId: string | undefined;
  readonly running: boolean;
}

/** How a container is. */
export type ContainerCondition =
  { readonly running: true } | { readonly running: false; readonly exitCode: number; readonly oomKilled: boolean };

/** What the host sees of a running container's processes. */
export interface ContainerInside {
  /** Of its own network; undefined where it cannot be read. */
  readonly listening: readonly { readonly address: string; readonly port: number }[] | undefined;
  /** Processes of it that the kernel killed for memory. */
  readonly oomKills: number;
  /** What its processes take, without files that could be read again; undefined where it cannot be read. */
  readonly memoryBytes: number | undefined;
  /** The host's ids of the users that its processes run as, each once; undefined where they cannot be read. */
  readonly users: readonly number[] | undefined;
}

export interface ContainerRuntime {
  /** The engine's name, for records and messages: nothing here goes by which it is. */
  readonly engine: string;
  /**
   * Makes the host ready to run these templates: networks, isolation rules, images present. Safe to repeat.
   * Throws engine_unavailable, image_missing, isolation_failed.
   */
  prepare(templates: readonly Template[]): Promise<void>;
  /**
   * What the template's image is, as `prepare` or a start found it last: instances of another one are outdated. Each
   * node has its own. Undefined where that is not known, or there are no images.
   */
  imageVersion?(template: Template): string | undefined;
  /** What these names stand for on this host now; those that it does not have are left out. Undefined: no images. */
  foundImages?(names: readonly string[]): Promise<readonly FoundImage[]>;
  /**
   * Fetches what the name leads to in its registry now. What is started goes on to be what all nodes agreed on. Throws
   * image_missing with what kept it from being had, and the signal's reason. Undefined: no images.
   */
  fetchImage?(name: string, onProgress: (soFar: string) => void, signal?: AbortSignal): Promise<void>;
  /** How far the template's images are on their way here; undefined where nothing is being fetched. */
  fetching?(template: Template): string | undefined;
  /** Starts the container; anything that has its name already is replaced. Throws container_failed, image_missing. */
  start(spec: ContainerSpec, signal: AbortSignal): Promise<void>;
  /**
   * Kills and removes at once; resolves only when the engine says the name is absent. Absent from the start is fine.
   */
  remove(name: string): Promise<void>;
  /**
   * Runs a command in a running container, with these variables added to its environment. Throws container_failed when
   * it cannot be run or does not end in time; an exit code other than 0 is an answer.
   */
  exec(
    name: string,
    call: {
      readonly command: readonly string[];
      readonly env: Readonly<Record<string, string>>;
      readonly timeoutMs: number;
    },
    signal: AbortSignal,
  ): Promise<ExecResult>;
  /**
   * Runs a command for what it writes to its standard output: every byte, as it comes, no faster than it is read.
   * Throws container_failed when it cannot be run; aborted, what is read breaks off with the signal's reason.
   */
  output(name: string, command: readonly string[], signal: AbortSignal): Promise<CommandOutput>;
  /** Undefined when there is none of this name. */
  inspect(name: string): Promise<ContainerCondition | undefined>;
  /** Undefined while it does not run. */
  inside(name: string): Promise<ContainerInside | undefined>;
  /**
   * The last `tail` lines the container wrote to either stream, 256 KiB at most. Throws container_failed when there is
   * no such container.
   */
  logs(name: string, tail: number): Promise<string>;
  /** This deployment's containers on this node, and no others. */
  list(): Promise<ContainerSummary[]>;
  /**
   * Told of each of them that ends or disappears from now on, no matter who ended it. Ends when the signal is aborted;
   * throws engine_unavailable when the engine is gone: what happened until the next call has to be looked up with
   * `list`.
   */
  watch(gone: (container: ContainerSummary) => void, signal: AbortSignal): Promise<void>;
  /**
   * Takes what `prepare` made off the host again. False, and nothing done, while containers of ours are still there.
   */
  unprepare(): Promise<boolean>;
  close(): Promise<void>;
}

export interface CommandOutput {
  readonly stdout: AsyncIterable<Uint8Array>;
  /** Of the command that has ended: call it after the last byte. The output in it is that to standard error alone. */
  readonly result: () => Promise<ExecResult>;
}

export interface ExecResult {
  readonly exitCode: number;
  /** What it wrote to either stream, its last 8 KiB. */
  readonly output: string;
}

import { Readable } from 'node:stream';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import type {
  CommandOutput,
  ContainerCondition,
  ContainerSpec,
  ContainerSummary,
  ExecResult,
} from '../../pool/interfaces/container-runtime.ts';
import { Responder, type ListeningContainer } from './responder.ts';

/** What a real engine's labels say. */
export interface Owner {
  readonly deployment: string;
  readonly node: string;
}

export interface SimulatedSpec {
  readonly name: string;
  readonly owner: Owner;
  readonly instanceId: string | undefined;
  readonly keepUntilMs: number | undefined;
  readonly template: string;
  /** Its node's, IPv4. */
  readonly address: string;
  readonly hostPort: number;
  readonly faults?: SimulatedFaults;
}

/** What an app can do wrong, by the environment of its template. */
interface SimulatedFaults {
  /** SIMULATED_EXIT_CODE: it ends with this as soon as it has started. */
  readonly exitCode?: number;
  /** SIMULATED_SAYS: a line that it writes first. */
  readonly says?: string;
  /** SIMULATED_STATUS: what it answers everything with. */
  readonly status?: number;
  /** SIMULATED_START_UP_MS: until then it answers 503. */
  readonly startUpMs?: number;
  /** SIMULATED_EVERY_MS: it is up so long after the one before it, as on a host that brings up one at a time. */
  readonly everyMs?: number;
}

interface Known {
  readonly spec: SimulatedSpec;
  readonly app: ListeningContainer;
  /** Set for one that has ended by itself: as in a real engine, it keeps its name until it is removed. */
  exitCode: number | undefined;
}

interface EndedContainer {
  readonly atMs: number;
  readonly owner: Owner;
  readonly container: ContainerSummary;
}

/** For watchers that had asked before they were heard: their request takes some milliseconds. */
const ENDS_KEPT = 1_000;
/** What an engine reports of one that was ended by SIGKILL. */
const KILLED = 137;

/**
 * What an engine is for real containers: it knows them by name, no matter whose they are, and says when one is gone.
 */
export class SimulatedHost {
  readonly #responder = new Responder();
  readonly #known = new Map<string, Known>();
  readonly #watchers = new Set<(ended: EndedContainer) => void>();
  readonly #ended: EndedContainer[] = [];
  readonly #startUpMs: number;
  #lastUpAtMs = 0;

  /** `startUpMs`: from start to the first answer below 400. */
  constructor({ startUpMs = 0 }: { readonly startUpMs?: number } = {}) {
    this.#startUpMs = startUpMs;
  }

  /** Anything that has the name already is replaced. Throws container_failed. */
  async start(spec: SimulatedSpec): Promise<void> {
    const { name, template, address, hostPort, faults = {} } = spec;
    await this.remove(name);
    try {
      const app = await this.#responder.listen({
        name,
        template,
        address,
        hostPort,
        upAtMs: this.#upAt(faults),
        status: faults.status ?? 200,
        said: [...(faults.says === undefined ? [] : [faults.says]), `${template} listens on ${address}:${hostPort}`],
      });
      // Two starts of one name at once: as with a real engine, one of them fails.
      if (this.#known.has(name)) {
        await app.stop();
        throw new Error('its name is in use');
      }
      this.#known.set(name, { spec, app, exitCode: undefined });
    } catch (error) {
      throw new TryItNowError(
        'container_failed',
        `The simulated container ${name} could not start: ${describeError(error)}`,
        { cause: error },
      );
    }
    if (faults.exitCode !== undefined) await this.crash(name, faults.exitCode);
  }

  #upAt({ everyMs, startUpMs = this.#startUpMs }: SimulatedFaults): number {
    const now = performance.now();
    if (everyMs === undefined) return now + startUpMs;
    this.#lastUpAtMs = Math.max(now, this.#lastUpAtMs) + everyMs;
    return this.#lastUpAtMs;
  }

  async remove(name: string): Promise<void> {
    const found = this.#known.get(name);
    if (found === undefined) return;
    await found.app.stop();
    // Somebody may have removed it meanwhile, and started another of the name.
    if (this.#known.get(name) !== found) return;
    this.#known.delete(name);
    this.#tell({ ...found, exitCode: found.exitCode ?? KILLED });
  }

  /** Ends it as a crash of its app would: nothing answers any more, and it is still listed. Throws container_failed. */
  async crash(name: string, exitCode = KILLED): Promise<void> {
    const found = this.#running(name);
    await found.app.stop();
    found.exitCode = exitCode;
    this.#tell(found);
  }

  inspect(name: string): ContainerCondition | undefined {
    const found = this.#known.get(name);
    if (found === undefined) return undefined;
    const { exitCode } = found;
    return exitCode === undefined ? { running: true } : { running: false, exitCode, oomKilled: false };
  }

  /** Runs nothing: every command succeeds, and says what only this container says. Throws container_failed. */
  exec(name: string): ExecResult {
    return { exitCode: 0, output: `simulated ${this.#running(name).spec.name}\n` };
  }

  /** A line for its start and one for each request, the last of them. Throws container_failed. */
  logs(name: string, tail: number): string {
    const found = this.#known.get(name);
    if (found === undefined) throw new TryItNowError('container_failed', `There is no simulated container ${name}`);
    return found.app.container.said
      .slice(-tail)
      .map((line) => `${line}\n`)
      .join('');
  }

  list(owner: Owner): ContainerSummary[] {
    return [...this.#known.values()].filter(({ spec }) => isOf(spec.owner, owner)).map(summary);
  }

  /** Whether any node of the deployment has containers here. */
  hasAnyOf(deployment: string): boolean {
    return [...this.#known.values()].some(({ spec }) => spec.owner.deployment === deployment);
  }

  /** Tells of each that ends or disappears, from `sinceMs` (since the epoch) on. Returns what ends it. */
  watch(owner: Owner, sinceMs: number, gone: (container: ContainerSummary) => void): () => void {
    const told = (ended: EndedContainer): void => {
      if (isOf(ended.owner, owner)) gone(ended.container);
    };
    for (const ended of this.#ended) if (ended.atMs >= sinceMs) told(ended);
    this.#watchers.add(told);
    return () => void this.#watchers.delete(told);
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    await Promise.all([...this.#known.keys()].map((name) => this.remove(name)));
  }

  #running(name: string): Known {
    const found = this.#known.get(name);
    if (found?.exitCode !== undefined || found === undefined)
      throw new TryItNowError('container_failed', `No simulated container ${name} is running`);
    return found;
  }

  #tell(known: Known): void {
    const ended = { atMs: Date.now(), owner: known.spec.owner, container: summary(known) };
    this.#ended.push(ended);
    this.#ended.splice(0, this.#ended.length - ENDS_KEPT);
    for (const told of this.#watchers) told(ended);
  }
}

/** What a command has said that has ended already. */
export function wholeOutput({ exitCode, output }: ExecResult): CommandOutput {
  return {
    stdout: Readable.from([Buffer.from(output)]),
    result: () => Promise.resolve({ exitCode, output: '' }),
  };
}

function isOf(a: Owner, b: Owner): boolean {
  return a.deployment === b.deployment && a.node === b.node;
}

function summary({ spec: { name, instanceId, keepUntilMs }, exitCode }: Known): ContainerSummary {
  return { name, instanceId, running: exitCode === undefined, ...(keepUntilMs === undefined ? {} : { keepUntilMs }) };
}

export function simulatedSpec(
  { name, instanceId, keepUntilMs, hostPort, template }: ContainerSpec,
  { owner, address }: { readonly owner: Owner; readonly address: string },
): SimulatedSpec {
  const faults = faultsOf(template.env);
  return { name, owner, instanceId, keepUntilMs, address, hostPort, template: template.name, faults };
}

function faultsOf(env: Readonly<Record<string, string>>): SimulatedFaults {
  const number = (name: string): number | undefined => (env[name] === undefined ? undefined : Number(env[name]));
  const [exitCode, status, startUpMs, everyMs] = ['EXIT_CODE', 'STATUS', 'START_UP_MS', 'EVERY_MS'].map((name) =>
    number(`SIMULATED_${name}`),
  );
  const says = env['SIMULATED_SAYS'];
  return {
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(status === undefined ? {} : { status }),
    ...(startUpMs === undefined ? {} : { startUpMs }),
    ...(everyMs === undefined ? {} : { everyMs }),
    ...(says === undefined ? {} : { says }),
  };
}

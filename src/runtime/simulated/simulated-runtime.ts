import type {
  CommandOutput,
  ContainerCondition,
  ContainerRuntime,
  ContainerSpec,
  ContainerSummary,
  ExecResult,
} from '../../pool/interfaces/container-runtime.ts';
import { LOOPBACK } from '../isolation/publishing.ts';
import { SIMULATED } from './descriptor.ts';
import { SimulatedHost, simulatedSpec, wholeOutput, type Owner } from './simulated-host.ts';

const THIS_PROCESS: Owner = { deployment: 'this process', node: 'this process' };

/** In-process HTTP responders in place of containers. They isolate nothing and end with this process. */
export class SimulatedRuntime implements ContainerRuntime {
  readonly engine = SIMULATED.name;
  readonly #host: SimulatedHost;
  readonly #owner: Owner;
  readonly #address: string;

  /** Runtimes that share a host see their own owner's containers only, as deployments on one engine do. */
  constructor(host = new SimulatedHost(), owner = THIS_PROCESS, address = LOOPBACK.address) {
    this.#host = host;
    this.#owner = owner;
    this.#address = address;
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  async start(spec: ContainerSpec, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.#host.start(simulatedSpec(spec, { owner: this.#owner, address: this.#address }));
    if (signal.aborted) {
      await this.remove(spec.name);
      signal.throwIfAborted();
    }
  }

  remove(name: string): Promise<void> {
    return this.#host.remove(name);
  }

  // oxlint-disable-next-line typescript/require-await -- what it throws is a rejection
  async exec(name: string, _call: unknown, signal: AbortSignal): Promise<ExecResult> {
    signal.throwIfAborted();
    return this.#host.exec(name);
  }

  async output(name: string, command: readonly string[], signal: AbortSignal): Promise<CommandOutput> {
    return wholeOutput(await this.exec(name, command, signal));
  }

  inspect(name: string): Promise<ContainerCondition | undefined> {
    return Promise.resolve(this.#host.inspect(name));
  }

  /** There is nothing in it. */
  inside(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  // oxlint-disable-next-line typescript/require-await -- what it throws is a rejection
  async logs(name: string, tail: number): Promise<string> {
    return this.#host.logs(name, tail);
  }

  list(): Promise<ContainerSummary[]> {
    return Promise.resolve(this.#host.list(this.#owner));
  }

  async watch(gone: (container: ContainerSummary) => void, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const stop = this.#host.watch(this.#owner, Date.now(), gone);
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    stop();
  }

  unprepare(): Promise<boolean> {
    return Promise.resolve(!this.#host.hasAnyOf(this.#owner.deployment));
  }

  async close(): Promise<void> {
    await Promise.all(this.#host.list(this.#owner).map(({ name }) => this.remove(name)));
  }
}

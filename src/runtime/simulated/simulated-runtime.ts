import { TryItNowError, describeError } from '../../domain/errors.ts';
import type { ContainerRuntime, ContainerSpec, ContainerSummary, ExecResult } from '../../pool/ports.ts';
import { Responder, type ListeningContainer } from './responder.ts';

export interface SimulatedOptions {
  /** From start to the first answer below 400. */
  readonly startUpMs?: number;
}

/** In-process HTTP responders in place of containers. They isolate nothing and end with this process. */
export class SimulatedRuntime implements ContainerRuntime {
  readonly engine = 'simulated';
  readonly #responder = new Responder();
  readonly #running = new Map<string, ListeningContainer>();
  readonly #startUpMs: number;

  constructor(options: SimulatedOptions = {}) {
    this.#startUpMs = options.startUpMs ?? 0;
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  async start(spec: ContainerSpec, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await this.remove(spec.name);
    const { name, instanceId, keepUntilMs, hostPort, template } = spec;
    try {
      const upAtMs = performance.now() + this.#startUpMs;
      this.#running.set(name, await this.#responder.listen({ name, instanceId, keepUntilMs, template: template.name, hostPort, upAtMs }));
    } catch (error) {
      throw new TryItNowError('container_failed', `The simulated container ${name} could not start: ${describeError(error)}`, { cause: error });
    }
    if (signal.aborted) {
      await this.remove(name);
      signal.throwIfAborted();
    }
  }

  async remove(name: string): Promise<void> {
    const found = this.#running.get(name);
    if (found === undefined) return;
    await found.stop();
    // Somebody may have started another of the name meanwhile.
    if (this.#running.get(name) === found) this.#running.delete(name);
  }

  /** Runs nothing: every command succeeds, and says what only this container says. */
  exec(name: string, _call: unknown, signal: AbortSignal): Promise<ExecResult> {
    if (signal.aborted) return Promise.reject(signal.reason instanceof Error ? signal.reason : new Error(describeError(signal.reason)));
    if (!this.#running.has(name)) return Promise.reject(new TryItNowError('container_failed', `There is no simulated container ${name} to run a command in`));
    return Promise.resolve({ exitCode: 0, output: `simulated ${name}\n` });
  }

  list(): Promise<ContainerSummary[]> {
    return Promise.resolve([...this.#running.values()].map(({ container: { name, instanceId, keepUntilMs } }) => ({
      name, instanceId, running: true, ...(keepUntilMs === undefined ? {} : { keepUntilMs }),
    })));
  }

  dismantle(): Promise<boolean> {
    return Promise.resolve(this.#running.size === 0);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((name) => this.remove(name)));
  }
}

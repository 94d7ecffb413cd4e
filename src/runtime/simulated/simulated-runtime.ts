import { TryItNowError, describeError } from '../../domain/errors.ts';
import type { ContainerRuntime, ContainerSpec, ContainerSummary } from '../../pool/ports.ts';
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
    const { name, instanceId, hostPort, template } = spec;
    try {
      const upAtMs = performance.now() + this.#startUpMs;
      this.#running.set(name, await this.#responder.listen({ name, instanceId, template: template.name, hostPort, upAtMs }));
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

  list(): Promise<ContainerSummary[]> {
    return Promise.resolve([...this.#running.values()].map(({ container }) => ({ name: container.name, instanceId: container.instanceId, running: true })));
  }

  dismantle(): Promise<boolean> {
    return Promise.resolve(this.#running.size === 0);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((name) => this.remove(name)));
  }
}

import type Dockerode from 'dockerode';
import type { Networks } from '../../pool/interfaces/networks.ts';
import type { ContainerEngine } from '../engine.ts';
import { networkPlan } from '../isolation/network-plan.ts';
import { LABEL } from '../labels.ts';
import { engineFailure, statusOf } from './engine-errors.ts';
import { connectEngine, type EngineOptions } from './engine-runtime.ts';

/** By our label, and never by name alone: others may call theirs as they like. */
export class EngineNetworks implements Networks {
  readonly #docker: Dockerode;
  readonly #deployment: string;
  readonly #planned: ReadonlySet<string>;
  readonly #title: { readonly title: string; readonly socketPath: string };

  constructor(
    { name, title }: Pick<ContainerEngine, 'name' | 'title'>,
    { socketPath, deployment }: Pick<EngineOptions, 'socketPath' | 'deployment'>,
  ) {
    const { closed, open } = networkPlan(name, deployment);
    this.#docker = connectEngine(socketPath);
    this.#deployment = deployment;
    this.#planned = new Set([closed.name, open.name]);
    this.#title = { title, socketPath };
  }

  async unused(): Promise<readonly string[]> {
    return (await this.all()).filter((name) => !this.#planned.has(name));
  }

  async all(): Promise<readonly string[]> {
    try {
      const found = await this.#docker.listNetworks({
        filters: { label: [`${LABEL.deployment}=${this.#deployment}`] },
      });
      return found.map(({ Name }) => Name);
    } catch (error) {
      throw engineFailure(error, this.#title, 'list networks');
    }
  }

  async remove(name: string): Promise<void> {
    try {
      await this.#docker.getNetwork(name).remove();
    } catch (error) {
      if (statusOf(error) !== 404) throw engineFailure(error, this.#title, `remove the network ${name}`);
    }
  }
}

import type Dockerode from 'dockerode';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import type { Networks, PublishedPort } from '../../pool/interfaces/networks.ts';
import type { ContainerEngine } from '../engine.ts';
import { networksWithRules, removeNetworkRules } from '../isolation/iptables.ts';
import { networkNamed, networkPlan, type NetworkPlan } from '../isolation/network-plan.ts';
import { LOOPBACK } from '../isolation/publishing.ts';
import { severedPorts } from '../isolation/severed-ports.ts';
import { LABEL } from '../labels.ts';
import { engineFailure, statusOf } from './engine-errors.ts';
import type { EngineOptions } from './engine-options.ts';
import { connectEngine } from './engine-runtime.ts';

/** Longer than anybody takes from a network's rules to the network. */
const LONE_FOR_MS = 2 * 60_000;

/** Has the engine set the forwarding rules of a running container again. */
export type ReconnectContainer = (container: string) => Promise<void>;

/** By our label, and never by name alone: others may call theirs as they like. */
export class EngineNetworks implements Networks {
  readonly #docker: Dockerode;
  readonly #deployment: string;
  readonly #plan: () => NetworkPlan;
  readonly #publishedAt: string;
  readonly #title: { readonly title: string; readonly socketPath: string };

  readonly #reconnect: ReconnectContainer | undefined;
  readonly #loneSince = new Map<string, number>();

  /** `reconnect`: undefined for an engine that sets its rules by itself or not at all. */
  constructor(
    { name, title }: Pick<ContainerEngine, 'name' | 'title'>,
    {
      socketPath,
      deployment,
      catalogue,
      publishing = LOOPBACK,
    }: Pick<EngineOptions, 'socketPath' | 'deployment' | 'catalogue' | 'publishing'>,
    reconnect?: ReconnectContainer,
  ) {
    this.#reconnect = reconnect;
    this.#docker = connectEngine(socketPath);
    this.#deployment = deployment;
    this.#publishedAt = publishing.address;
    this.#plan = () => networkPlan(name, deployment, catalogue?.all());
    this.#title = { title, socketPath };
  }

  async unused(): Promise<readonly string[]> {
    const plan = this.#plan();
    const planned = new Set(plan.networks.map(({ name }) => name));
    const made = (await this.all()).filter((name) => !planned.has(name));
    const lone = this.#lone(
      (await networksWithRules(plan)).filter((name) => !planned.has(name) && !made.includes(name)),
    );
    if (made.length === 0) return lone;
    const used = await this.#inUse();
    return [...made.filter((name) => !used.has(name)), ...lone];
  }

  /**
   * Of rules whose network is gone, those that have been so for long: another process sets rules before it makes their
   * network, and may offer templates that this one has not heard of.
   */
  #lone(names: readonly string[]): readonly string[] {
    const now = performance.now();
    for (const name of this.#loneSince.keys()) if (!names.includes(name)) this.#loneSince.delete(name);
    for (const name of names) if (!this.#loneSince.has(name)) this.#loneSince.set(name, now);
    return names.filter((name) => now - (this.#loneSince.get(name) ?? now) > LONE_FOR_MS);
  }

  /** Those that containers are on, also when they are not running. */
  async #inUse(): Promise<ReadonlySet<string>> {
    try {
      const found = await this.#docker.listContainers({ all: true });
      return new Set(found.flatMap(networksOf));
    } catch (error) {
      throw engineFailure(error, this.#title, 'list containers');
    }
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
    const network = networkNamed(this.#plan(), name);
    if (network !== undefined) await removeNetworkRules(network);
  }

  async severed(containers: readonly PublishedPort[]): Promise<readonly string[]> {
    const ports = new Set(
      await severedPorts(
        this.#publishedAt,
        containers.map(({ port }) => port),
      ),
    );
    return containers.filter(({ port }) => ports.has(port)).map(({ container }) => container);
  }

  async reconnect(container: string): Promise<void> {
    if (this.#reconnect === undefined)
      throw new TryItNowError(
        'container_failed',
        `${this.#title.title} sets the forwarding rules of ${container} again only when its service is restarted; ` +
          'restart it',
      );
    try {
      await this.#reconnect(container);
    } catch (error) {
      throw new TryItNowError(
        'container_failed',
        `${this.#title.title} could not set the forwarding rules of ${container} again: ${describeError(error)}`,
        { cause: error },
      );
    }
  }
}

/** One without a network may have it left out. */
function networksOf(container: {
  readonly NetworkSettings?: { readonly Networks?: object | null } | null;
}): readonly string[] {
  return Object.keys(container.NetworkSettings?.Networks ?? {});
}

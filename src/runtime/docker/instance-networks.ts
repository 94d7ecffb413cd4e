import type Dockerode from 'dockerode';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import type { Template } from '../../domain/template.ts';
import { keepBridgeAddress } from '../isolation/bridge-address.ts';
import { isolatePorts } from '../isolation/bridge-ports.ts';
import { isBridgeHere, notIsolated } from '../isolation/bridges.ts';
import { ensureRules, removeRules } from '../isolation/iptables.ts';
import { NameServers } from '../isolation/name-servers.ts';
import { hideNeighbourNames } from '../isolation/neighbour-names.ts';
import { networkFor, networkPlan, type InstanceNetwork, type NetworkPlan } from '../isolation/network-plan.ts';
import { hostResolvers } from '../isolation/resolvers.ts';
import { LABEL } from '../labels.ts';
import type { Dialect } from './dialect.ts';
import { engineFailure, statusOf } from './engine-errors.ts';
import type { EngineOptions } from './engine-options.ts';

type Call = <T>(what: string, operation: () => Promise<T>) => Promise<T>;

interface Around {
  readonly docker: Dockerode;
  readonly dialect: Dialect;
  readonly options: EngineOptions;
  /** For what changes nothing. */
  readonly look: Call;
  readonly call: Call;
}

/** The networks that instances are on, with what keeps them apart there and what answers their names. */
export class InstanceNetworks {
  readonly #around: Around;
  readonly #plan: NetworkPlan;
  readonly #nameServers: NameServers;
  /** By bridge: the host's address on it. */
  readonly #gateways = new Map<string, string>();
  /** By bridge: the network whose names are answered. */
  readonly #served = new Map<string, string>();
  /** What the log says of what could not be done, until it can. */
  readonly #told = new Set<string>();

  constructor(around: Around) {
    const { dialect, options } = around;
    this.#around = around;
    this.#plan = networkPlan(dialect.engine.name, options.deployment);
    this.#nameServers = new NameServers({
      resolvers: options.resolvers,
      onLookup: options.onLookup,
      log: options.log,
    });
  }

  of(template: Template): InstanceNetwork {
    return networkFor(this.#plan, template);
  }

  /** Makes them so. Throws isolation_failed, engine_unavailable. */
  async prepare(templates: readonly Template[]): Promise<void> {
    const { options, dialect } = this.#around;
    const plan = networkPlan(dialect.engine.name, options.deployment, templates);
    const own = templates.filter((template) => this.of(template).allowed !== undefined);
    for (const template of own) await this.#findGateway(this.of(template));
    // The rules come first: they name interfaces that need not exist yet, so no instance is ever without them.
    const resolvers = await this.#hostResolvers();
    await ensureRules(plan, resolvers, this.#gateways, options.publishing);
    const known = this.#gateways.size;
    for (const network of new Map(templates.map((each) => [this.of(each).name, this.of(each)])).values())
      await this.#ensure(network);
    if (this.#gateways.size > known) await ensureRules(plan, resolvers, this.#gateways, options.publishing);
    // Those that ran before, or whose server ended too soon.
    for (const { bridge } of plan.networks) {
      await this.#keepAddress(bridge);
      await this.#hideNeighbours(bridge);
    }
    for (const template of own) await this.#answerNames(template);
    await this.#forgetRemoved(new Set(plan.networks.map(({ bridge }) => bridge)));
  }

  /** Of templates that are not offered any more; while one of their instances is left, its network is there. */
  async #forgetRemoved(planned: ReadonlySet<string>): Promise<void> {
    await this.#nameServers.keep(async (bridge) => {
      const name = this.#served.get(bridge);
      if (planned.has(bridge) || name === undefined || (await isBridgeHere(bridge))) return true;
      // Podman's bridge is there as long as a container is on it, and its network longer.
      if ((await this.#find(name)) !== undefined) return true;
      this.#served.delete(bridge);
      this.#gateways.delete(bridge);
      return false;
    });
  }

  /**
   * What is to be done once an instance runs. `namespace`: the file of its network; empty for a container that has
   * joined another one's. False: its bridge is not in this network namespace.
   */
  async settle(template: Template, namespace: string | undefined): Promise<boolean> {
    const { bridge, egress } = this.of(template);
    if (!(await isBridgeHere(bridge))) return false;
    await Promise.all([
      this.#keepAddress(bridge),
      this.#hideNeighbours(bridge),
      this.#hideNames(namespace, egress !== undefined),
      this.#answerNames(template),
    ]);
    await this.#forgetRemoved(new Set([bridge]));
    return true;
  }

  /** What is to answer the names that its instances look up. */
  async nameServersOf(template: Template): Promise<readonly string[]> {
    const network = this.of(template);
    if (network.egress === undefined) return [];
    if (network.allowed === undefined) return this.#hostResolvers();
    const gateway = this.#gateways.get(network.bridge) ?? (await this.#findGateway(network));
    return gateway === undefined ? [] : [gateway];
  }

  /** With all rules. Only when no container is left on any. */
  async remove(): Promise<void> {
    const { docker, options, look, call } = this.#around;
    const label = [`${LABEL.deployment}=${options.deployment}`];
    for (const { Name } of await look('list networks', () => docker.listNetworks({ filters: { label } })))
      await call(`remove the network ${Name}`, async () => {
        await docker.getNetwork(Name).remove();
      });
    await removeRules(this.#plan);
  }

  async close(): Promise<void> {
    await this.#nameServers.close();
  }

  async #hostResolvers(): Promise<readonly string[]> {
    return this.#around.options.resolvers ?? hostResolvers();
  }

  async #answerNames(template: Template): Promise<void> {
    const network = this.of(template);
    const gateway = this.#gateways.get(network.bridge);
    if (gateway === undefined) return;
    this.#served.set(network.bridge, network.name);
    await this.#nameServers.ensure(network, gateway, template);
  }

  /** What the rules forbid is so without this, too: an instance would only learn which addresses are in use. */
  async #hideNeighbours(bridge: string): Promise<void> {
    await this.#asFarAsItGoes('Instances see the addresses of their neighbours', { bridge }, () =>
      isolatePorts(bridge),
    );
  }

  /** As above: it opens nothing. An instance that has ended by itself has none left. */
  async #hideNames(namespace: string | undefined, looksNamesUp: boolean): Promise<void> {
    const { nameService, engine } = this.#around.dialect;
    if (nameService === undefined || namespace === undefined || namespace === '') return;
    const told = `Instances learn the names of their neighbours from the name service of ${engine.title}`;
    await this.#asFarAsItGoes(told, {}, () => hideNeighbourNames(namespace, nameService, looksNamesUp));
  }

  async #keepAddress(bridge: string): Promise<void> {
    await this.#asFarAsItGoes('When an instance ends, others may not be reached for some seconds', { bridge }, () =>
      keepBridgeAddress(bridge),
    );
  }

  /** Instances do without it; the log says so once. */
  async #asFarAsItGoes(told: string, context: object, work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.#told.delete(told);
    } catch (error) {
      if (!this.#told.has(told)) this.#around.options.log.warn({ ...context, reason: describeError(error) }, told);
      this.#told.add(told);
    }
  }

  async #find(name: string): Promise<Awaited<ReturnType<Dialect['findNetwork']>>> {
    return this.#around.look(`look for the network ${name}`, () => this.#around.dialect.findNetwork(name));
  }

  async #findGateway({ name, bridge }: InstanceNetwork): Promise<string | undefined> {
    const gateway = (await this.#find(name))?.gateway;
    if (gateway !== undefined) this.#gateways.set(bridge, gateway);
    return gateway;
  }

  async #ensure(network: InstanceNetwork): Promise<void> {
    const { dialect, options } = this.#around;
    const { engine } = dialect;
    if ((await this.#find(network.name)) === undefined) await this.#create(network);
    const found = await this.#find(network.name);
    // The rules hold for the bridge of this name only.
    if (found?.bridge !== network.bridge || found.labels[LABEL.deployment] !== options.deployment || found.answersDns) {
      throw new TryItNowError(
        'isolation_failed',
        `The network ${network.name} is not as this deployment makes it, so its instances would not be isolated. ` +
          `Remove it (${engine.name} network rm ${network.name}) and start again.`,
      );
    }
    if (network.allowed !== undefined && found.gateway !== undefined) this.#gateways.set(network.bridge, found.gateway);
    if (engine.bridgesStay && !(await isBridgeHere(network.bridge))) throw notIsolated(engine.title, network.bridge);
  }

  async #create(network: InstanceNetwork): Promise<void> {
    const { dialect, options } = this.#around;
    const { title } = dialect.engine;
    try {
      await dialect.createNetwork(network, { [LABEL.deployment]: options.deployment });
    } catch (error) {
      if (statusOf(error) === undefined)
        throw engineFailure(error, { title, socketPath: options.socketPath }, `create the network ${network.name}`);
      throw new TryItNowError(
        'isolation_failed',
        `${title} could not create the network ${network.name}: ${describeError(error)}`,
        { cause: error },
      );
    }
  }
}

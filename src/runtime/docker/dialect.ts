import type Dockerode from 'dockerode';
import type { OciRuntime, Template } from '../../domain/template.ts';
import type { ContainerEngine } from '../engine.ts';
import type { InstanceNetwork } from '../isolation/network-plan.ts';

/** Holds for as long as the creation of a container takes. */
export interface SeccompOption extends AsyncDisposable {
  /** As a security option of the container. */
  readonly option: string;
}

interface FoundNetwork {
  readonly labels: Readonly<Record<string, string>>;
  /** The bridge's interface on the host. */
  readonly bridge: string | undefined;
  /** The host's address on it. */
  readonly gateway: string | undefined;
  /** A name service of the engine's own answers on this network and could carry data out. */
  readonly answersDns: boolean;
}

/** Where the engines that speak Docker's API differ. Failures are thrown as the engine's API gives them. */
export interface Dialect {
  readonly engine: ContainerEngine;
  /** Bounded, so that an instance cannot fill the disk through its output. */
  readonly logConfig: NonNullable<Dockerode.HostConfig['LogConfig']>;
  /** What is mounted in the containers of this network so that names resolve as the isolation has it. */
  mounts(network: InstanceNetwork): NonNullable<Dockerode.HostConfig['Mounts']>;
  /** Whether it has an init to start containers with. */
  hasInit(): boolean;
  /** What it has to be told, with a comma before, so that a folder in memory begins empty. */
  readonly tmpfsOptions: string;
  /** Where its own name service answers inside each container; undefined where it has none there. */
  readonly nameService: string | undefined;
  /** Options of resolvers in containers, as in resolv.conf. */
  readonly dnsOptions: readonly string[];
  seccomp(profile: string): Promise<SeccompOption>;
  /** By this OCI runtime; by the engine's own choice without one. */
  createContainer(options: Dockerode.ContainerCreateOptions, runtime: OciRuntime | undefined): Promise<unknown>;
  /** Whose service starts the containers of a template: what they inherit is its own. */
  starts(template: Template): Promise<Dockerode>;
  /**
   * Ends what of its own has hung and keeps the engine from answering: its process is gone, or it would have. Returns
   * the names of the containers.
   */
  endHung(): Promise<readonly string[]>;
  /** Ends what it has started to create containers. */
  close(): Promise<void>;
  findNetwork(name: string): Promise<FoundNetwork | undefined>;
  /** Somebody else having just made it is fine. Its seed chooses the subnet where the engine does not. */
  createNetwork(network: InstanceNetwork, labels: Readonly<Record<string, string>>): Promise<void>;
}

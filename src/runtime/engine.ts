/** What every engine tells of itself (`descriptor.ts` in its folder) and can do (`engine.ts` beside it). */
import type { DatabaseFolders } from '../domain/database.ts';
import type { LookupOutcome } from '../domain/egress.ts';
import type { ImagePin } from '../domain/image-pin.ts';
import type { Log } from '../domain/log.ts';
import type { Catalogue } from '../domain/template.ts';
import type { Tracer } from '../domain/tracer.ts';
import type { ChildServer } from '../launcher/child-server.ts';
import type { Checkpointing } from '../pool/interfaces/checkpointing.ts';
import type { Consumption } from '../pool/interfaces/consumption.ts';
import type { ContainerRuntime } from '../pool/interfaces/container-runtime.ts';
import type { ImageStorage } from '../pool/interfaces/image-storage.ts';
import type { PulledImages } from '../pool/interfaces/pulled-images.ts';
import type { Networks } from '../pool/interfaces/networks.ts';
import type { Publishing } from './isolation/publishing.ts';

interface Traits {
  /** What CONTAINER_MODE and stored records call it. */
  readonly name: string;
  /** What people call it. */
  readonly title: string;
  readonly restoresCheckpoints: boolean;
  /** A relay of its own accepts connections for a dead container as well. */
  readonly relaysPorts: boolean;
}

/** A service that runs containers and is found by its socket. */
export interface ContainerEngine extends Traits {
  readonly runsContainers: true;
  readonly socket: { readonly variable: string; readonly default: string; readonly about: string };
  /** The systemd unit of its service. */
  readonly unit: string;
  /**
   * What people and `up` build images with; the variable tells it the socket where it does not go by its own default.
   * `perUser`: it keeps each user's images apart, and instances are started from root's.
   */
  readonly imageTool: {
    readonly program: string;
    readonly socketVariable: string | undefined;
    readonly perUser: boolean;
  };
  /** Whether a network's bridge is there from its creation on; otherwise while a container is on it. */
  readonly bridgesStay: boolean;
  /** OCI runtimes that do not do, by name: what the doctor says of each. */
  readonly poorRuntimes: Readonly<Record<string, { readonly seen: string; readonly remedy: string }>>;
}

/**
 * Takes the place of an engine where there is none: no images, no networks, no files. Without a socket,
 * part of the server's process.
 */
export interface StandIn extends Traits {
  readonly runsContainers: false;
  readonly socket: {
    readonly variable: string;
    readonly default: undefined;
    /** What holds where it is not set. */
    readonly otherwise: string;
    readonly about: string;
  };
}

export interface OpenOptions {
  /** Undefined: its default, or this process where it has none. */
  readonly socketPath: string | undefined;
  readonly deployment: string;
  readonly node: string;
  readonly log: Log;
  readonly tracer?: Tracer;
  /** Where instances are published; on loopback without it. */
  readonly publishing?: Publishing;
  /** On offer as time goes by; whose networks are in use. */
  readonly catalogue?: Pick<Catalogue, 'all'>;
  /** The credentials of registries, as `podman login` and `docker login` write them. */
  readonly registryAuthFile?: string;
  /** The folders of the database servers' sockets, which templates with a database need. */
  readonly databaseFolders?: DatabaseFolders;
  /** What names of images stand for on all nodes; others stand for what they do here. It changes as time goes by. */
  readonly pinnedImages?: ReadonlyMap<string, ImagePin>;
  /** Whether a name with `pull: always` is fetched anew, although it is known what it stands for on all nodes. */
  readonly decidesImages?: boolean;
  /** Told of each fetch before it begins, with the ids of what is there, and what it led to. */
  readonly pulls?: Pick<PulledImages, 'begin' | 'end'>;
  /** Whether the disk that images lie on has room for one more; yes without it. */
  readonly hasRoom?: () => boolean;
  /** Told how each fetch of an image ends. */
  readonly onFetched?: (status: 'success' | 'failure') => void;
  /** Told when an instance cannot be started because its image is not here any more, and cannot be fetched. */
  readonly onImageMissing?: () => void;
  /** Told how each look-up ends of an instance that reaches named places alone. */
  readonly onLookup?: (template: string, outcome: LookupOutcome) => void;
}

/** Nothing is connected before what is made here is asked for something. */
export interface StandInBehaviour {
  createRuntime(options: OpenOptions): ContainerRuntime;
}

export interface ContainerEngineBehaviour extends StandInBehaviour {
  createNetworks(options: OpenOptions): Networks;
  createImageStorage(options: OpenOptions): ImageStorage;
  createConsumption(options: OpenOptions): Consumption;
  /** Whether this host can restore is only known once it was tried. */
  readonly createCheckpointing?: (options: OpenOptions) => Checkpointing;
  /** Whether it, and no other engine, answers there. Never throws. */
  probe(socketPath: string): Promise<EngineAttempt>;
  /** Why this host cannot have instances share memory, in words; undefined where it can. Without it: none can. */
  whyNotShared?(): Promise<string | undefined>;
  /** What this host lacks so that instances are as on the other engines; each with its remedy. */
  shortcomings?(): readonly { readonly what: string; readonly seen: string; readonly remedy: string }[];
  /** What the doctor asks; it gives up sooner than what runs instances. */
  inspect(socketPath: string): EngineInspection;
  /** Starts a service for `up` on a socket of its own, over the host's ordinary storage. */
  readonly launch?: EngineLaunch;
}

export interface EngineLaunch {
  /** The program it needs. */
  readonly program: string;
  /** What it starts for another user keeps instances apart from each other and the host less than is needed. */
  readonly needsRoot: boolean;
  start(options: { readonly socketPath: string }): Promise<{ readonly server: ChildServer }>;
}

export interface EngineAttempt {
  readonly usable: boolean;
  /** For people: why it is or is not taken. */
  readonly reason: string;
}

export interface EngineInspection {
  /** Throws engine_unavailable. */
  facts(): Promise<EngineFacts>;
  /**
   * Interfaces of this deployment's networks that are there if the engine is in this network namespace. Throws
   * engine_unavailable.
   */
  bridges(deployment: string): Promise<readonly string[]>;
  /**
   * Whether it can be seen from here where a running container of this deployment writes; undefined while none runs.
   * Throws engine_unavailable.
   */
  showsWritten(deployment: string): Promise<boolean | undefined>;
  /** Undefined where it does not have the image. Throws engine_unavailable, container_failed. */
  imageId(image: string): Promise<string | undefined>;
  /** The same, with all that is of use for a template. */
  image(image: string): Promise<ImageFacts | undefined>;
}

export interface EngineFacts {
  readonly version: string;
  /** The OCI runtimes it knows of, with the path of each; whether they are there is not said. */
  readonly runtimes: Readonly<Record<string, string>>;
  /** The OCI runtime that starts containers. */
  readonly runtime: string;
  /** Where images and containers lie. */
  readonly storage: string;
  /** Whether it can filter the system calls of containers. */
  readonly seccomp: boolean;
}

/** What an image says of itself. */
export interface ImageFacts {
  readonly id: string;
  /** As Go names it: `amd64`, `arm64`. */
  readonly architecture: string;
  /** TCP ports of its EXPOSE, ascending. */
  readonly ports: readonly number[];
  /** Empty for root. */
  readonly user: string;
  readonly volumes: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  /** As HEALTHCHECK keeps it, beginning with CMD or CMD-SHELL; undefined without one. */
  readonly healthcheck: readonly string[] | undefined;
}

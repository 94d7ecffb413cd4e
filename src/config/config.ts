import type { PublicAddress } from '../domain/address.ts';
import type { DatabaseEngine } from '../domain/database.ts';
import type { GateMode } from '../domain/gate-mode.ts';
import type { PlacementStrategy } from '../domain/placement.ts';
import type { OperatorKey, RoleGrant } from '../domain/operator-role.ts';
import type { Template } from '../domain/template.ts';
import type { Webhook } from '../domain/webhook.ts';
import type { Branding } from '../presentation/branding.ts';
import type { Language } from '../presentation/languages/translator.ts';
import type { EngineName, EngineSockets } from '../runtime/engines.ts';
import type { NO_ENGINE } from '../runtime/no-engine.ts';
import type { ValkeyAccess } from '../store/valkey-access.ts';
import type { LogLevel } from '../telemetry/logger.ts';
import type { TracingSettings } from '../telemetry/tracing/tracing.ts';

/** `none`: a server that holds no instances itself. */
export type ContainerMode = 'auto' | EngineName | typeof NO_ENGINE.name;
/** `auto`: where the trial passes; `on`: refuse to start where it does not; `off`: never. */
export type CheckpointMode = 'auto' | 'on' | 'off';

interface NetworkAddress {
  readonly host: string;
  readonly port: number;
}

interface DatabaseServer {
  /** Absolute. Its whole folder is mounted into the instances of templates with a database there. */
  readonly socketPath: string;
  /** Where the relay leads that socket; undefined: the server itself opens it. */
  readonly shared: NetworkAddress | undefined;
  readonly user: string;
  readonly password: string;
}

/** A provider of OpenID Connect that operators log in at. */
export interface OidcConfig {
  readonly issuer: string;
  readonly clientId: string;
  /** Undefined: a public client. */
  readonly clientSecret: string | undefined;
  readonly scope: string;
  readonly claim: string;
  readonly roles: readonly RoleGrant[];
  readonly callbackUrl: string;
  readonly loggedOutUrl: string;
}

/** Everything that can be set, parsed once at the edge, frozen, and passed down. Durations in ms. */
export interface Config {
  readonly server: {
    readonly host: string;
    readonly port: number;
    /** Where people find the start page; pages for ended instances link there. No trailing slash. */
    readonly publicUrl: string;
    /** How long in-flight work may take at shutdown. */
    readonly shutdownGraceMs: number;
    /** How long it only says that it will stop before it does. */
    readonly shutdownDrainMs: number;
    /** Empty: the API is open. */
    readonly apiKeys: readonly string[];
    /** Addresses and CIDR blocks whose X-Forwarded-For is believed. */
    readonly trustedProxies: readonly string[];
  };
  /** Where a worker serves its metrics, and says whether it works. */
  readonly worker: { readonly metrics: { readonly host: string; readonly port: number } };
  /** Where operators are listened to, and the keys they may send; without one nobody is. */
  readonly admin: {
    readonly host: string;
    readonly port: number;
    readonly operatorKeys: readonly OperatorKey[];
    /** Where operators' browsers reach the dashboard; undefined: at the listener itself. */
    readonly dashboardUrl: string | undefined;
    /** How long a browser stays logged in. */
    readonly sessionMs: number;
    /** Where operators may log in besides. */
    readonly oidc: OidcConfig | undefined;
  };
  /** Sites that are told apart in the funnel, as hosts. */
  readonly funnel: { readonly sites: readonly string[] };
  /** Who is told what happens in visits. */
  readonly webhooks: readonly Webhook[];
  /** What pages for visitors are like. */
  readonly presentation: { readonly languages: readonly [Language, ...Language[]]; readonly branding: Branding };
  readonly log: { readonly level: LogLevel };
  readonly tracing: TracingSettings;
  /** 0: unlimited. */
  readonly rateLimit: { readonly hourly: number; readonly daily: number };
  /** How many may be held at once; 0: any number. */
  readonly heldLimit: { readonly perClient: number; readonly perNetwork: number };
  /** Of who had visits ended for harm: how long that is remembered, and how long they first get nothing. */
  readonly harm: { readonly rememberedMs: number; readonly pauseMs: number };
  /** `maxNumber`: how much work is to be proven; half as many hashes on average. */
  readonly gate: { readonly mode: GateMode; readonly maxNumber: number };
  /** Marks everything we make on a shared host, so that two deployments leave each other alone. */
  readonly deployment: string;
  readonly node: {
    readonly name: string;
    /** Where the proxy reaches this node's instances, which are published on it. */
    readonly address: string;
    /** What templates may ask for with `nodes`. */
    readonly labels: readonly string[];
    /** The most instances that it may hold; undefined: as many as it has ports. */
    readonly capacity: number | undefined;
    /** IPv4 blocks that reach them beside this host. */
    readonly proxies: readonly string[];
  };
  /** How new instances are shared among nodes. */
  readonly placement: PlacementStrategy;
  readonly valkey: ValkeyAccess;
  readonly nats: {
    readonly url: string;
    readonly user: string | undefined;
    readonly password: string | undefined;
    readonly token: string | undefined;
    readonly nkeySeed: string | undefined;
    /** Paths; read at each connection. */
    readonly credsFile: string | undefined;
    readonly caFile: string | undefined;
    readonly certFile: string | undefined;
    readonly keyFile: string | undefined;
    /** How many servers of a cluster keep each stream. */
    readonly replicas: number;
  };
  readonly proxy: {
    readonly adminUrl: string;
    /** Caddy's listen addresses, as Caddy spells them, with commas between: `:8000`. */
    readonly listen: string;
    /** Where this host reaches proxies for warm-up and the readiness gate; any of them will do. */
    readonly internalUrls: readonly [string, ...string[]];
    readonly address: PublicAddress;
    /** Whether browsers are to connect before the click. */
    readonly connectAhead: boolean;
    /** From the end of a request to the head of the app's answer. */
    readonly responseTimeoutMs: number;
    /** The DNS responder, where it serves its metrics, and where it keeps what it knows for a restart. */
    readonly discovery: {
      readonly host: string;
      readonly port: number;
      readonly metrics: { readonly host: string; readonly port: number };
      readonly snapshotFile: string | undefined;
    };
  };
  readonly containers: {
    readonly mode: ContainerMode;
    /** Credentials of registries; undefined without any. */
    readonly registryAuthFile: string | undefined;
    readonly portRange: { readonly start: number; readonly end: number };
    /** A given-back port rests this long; longer than the proxy remembers an answer. */
    readonly portCoolDownMs: number;
    /** What stays free of the disk that containers lie on. */
    readonly diskReserveBytes: number;
    /** After how long of busy processors without use a visit is throttled, and ends. */
    readonly unusedCpu: { readonly throttleAfterMs: number; readonly endAfterMs: number };
    /** Undefined for one that is part of this process. */
    readonly sockets: EngineSockets;
  };
  readonly checkpoints: {
    readonly mode: CheckpointMode;
    /** Absolute; holds the archives, their metadata and what they were unpacked into. */
    readonly dir: string;
    /** Where nodes leave archives for each other: `nats`, `off`, or an absolute path. */
    readonly share: string;
  };
  /** Those that were named in full; a template only asks for one of them. */
  readonly databases: Readonly<Partial<Record<DatabaseEngine, DatabaseServer>>>;
  readonly pool: { readonly replenishIntervalMs: number; readonly healthIntervalMs: number };
  readonly queue: { readonly workers: number; readonly ackWaitMs: number };
  /** In the order of the catalogue; never empty. */
  readonly templates: readonly Template[];
}

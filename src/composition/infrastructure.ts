import type { Redis as Valkey } from 'iovalkey';
import { chooseEngine, createRuntime, type EngineExtras } from './engines.ts';
import type { Config } from '../config/config.ts';
import type { Log } from '../domain/log.ts';
import { Catalogue } from '../domain/template.ts';
import { NO_TRACER, type Tracer } from '../domain/tracer.ts';
import type { Releasers } from '../lifecycle/releasers.ts';
import type { ContainerRuntime } from '../pool/interfaces/container-runtime.ts';
import { Languages } from '../presentation/languages/languages.ts';
import type { DemoServerOptions } from '../proxy/caddy-config.ts';
import { CaddyProxy, type CaddyProxyOptions } from '../proxy/caddy-proxy.ts';
import { connectQueue, type QueueConnection } from '../queue/connection.ts';
import { connectValkey, disconnectValkey } from '../store/client.ts';
import type { Engine } from '../runtime/engines.ts';
import { NO_ENGINE, noEngine } from '../runtime/no-engine.ts';
import { openStore, type Store, type StoreOptions } from '../store/store.ts';

export interface InfrastructureOptions {
  readonly config: Config;
  /** Where it changes; as configured without it. */
  readonly catalogue?: Catalogue;
  readonly log: Log;
  readonly tracer?: Tracer;
  /** Told how to close each part as soon as it is open, so parts are released in the reverse of the order asked for. */
  readonly releasers: Pick<Releasers, 'push'>;
}

export interface EngineChoice {
  /** Undefined: as the configuration says. */
  readonly engine?: Engine | undefined;
  /** Throws where this engine will not do. Nothing of it is open by then. */
  readonly require?: (engine: Engine) => Promise<void> | void;
  /** Of what this process asks the engine for beside. */
  readonly extras?: EngineExtras;
  /** No stand-in then, unless it was asked for by name. */
  readonly isWorker?: boolean;
  /** What it is for, where there has to be one; undefined: none will do as well. */
  readonly toDo?: string;
}

export interface OpenEngine {
  readonly engine: Engine;
  readonly runtime: ContainerRuntime;
}

/** What the server and the commands work with outside their process: each part is opened here and nowhere else. */
export class Infrastructure {
  readonly #config: Config;
  readonly #catalogue: Catalogue;
  readonly #log: Log;
  readonly #tracer: Tracer;
  readonly #releasers: Pick<Releasers, 'push'>;

  constructor({ config, catalogue, log, tracer = NO_TRACER, releasers }: InfrastructureOptions) {
    this.#config = config;
    this.#catalogue = catalogue ?? new Catalogue(config.templates);
    this.#log = log;
    this.#tracer = tracer;
    this.#releasers = releasers;
  }

  /** Throws store_unavailable. Only a process with workers has something to say about leases and lost tasks. */
  async openStore(ofWorkers: Pick<StoreOptions, 'leaseMs' | 'patience'> = {}): Promise<Store> {
    const { valkey, node, rateLimit, harm, containers } = this.#config;
    const store = await openStore({
      valkey,
      node,
      limits: rateLimit,
      harm,
      portRange: containers.portRange,
      portCoolDownMs: containers.portCoolDownMs,
      ...ofWorkers,
      tracer: this.#tracer,
      log: this.#log,
    });
    this.#releasers.push('store', store.close);
    return store;
  }

  /** Valkey itself, for what looks at its server or its keys rather than at our state. Throws store_unavailable. */
  async openValkey(): Promise<Valkey> {
    const client = await connectValkey({ ...this.#config.valkey, log: this.#log });
    this.#releasers.push('valkey', () => disconnectValkey(client));
    return client;
  }

  /** Throws queue_unavailable. */
  async openQueue(): Promise<QueueConnection> {
    const connection = await connectQueue({ ...this.#config.nats, log: this.#log });
    this.#releasers.push('queue', () => connection.close());
    return connection;
  }

  /** Throws what `require` throws, and engine_unavailable where there is none and something is to be done with it. */
  async openEngine({
    engine: chosen,
    require,
    extras = {},
    isWorker = false,
    toDo,
  }: EngineChoice = {}): Promise<OpenEngine> {
    const engine = chosen ?? (await chooseEngine(this.#config, this.#log, { isWorker }));
    if (toDo !== undefined && engine.name === NO_ENGINE.name) throw noEngine(toDo);
    await require?.(engine);
    const runtime = createRuntime(engine, this.#config, this.#log, { catalogue: this.#catalogue, ...extras });
    this.#releasers.push('runtime', () => runtime.close());
    return { engine, runtime };
  }

  /** Holds nothing open: it asks Caddy's admin API again each time. */
  createProxy(beside: Pick<CaddyProxyOptions, 'mayReplace' | 'pagesWait' | 'wantedByServers'>): CaddyProxy {
    const { presentation, proxy, server } = this.#config;
    return new CaddyProxy({
      adminUrl: proxy.adminUrl,
      listen: proxy.listen,
      address: proxy.address,
      ...offeredThrough(this.#catalogue),
      offered: () => offeredThrough(this.#catalogue),
      responseTimeoutMs: proxy.responseTimeoutMs,
      discovery: proxy.discovery,
      publicUrl: server.publicUrl,
      languages: new Languages(presentation.languages),
      branding: presentation.branding,
      trustedProxies: server.trustedProxies,
      ...beside,
      log: this.#log,
    });
  }
}

/** What the proxy has to know of the templates, as long as somebody may be visiting. */
function offeredThrough(catalogue: Catalogue): Pick<DemoServerOptions, 'innerPorts' | 'allowedOrigins'> {
  const templates = catalogue.allKnown();
  return {
    innerPorts: templates.map(({ port }) => port),
    allowedOrigins: [...new Set(templates.flatMap(({ allowedOrigins }) => allowedOrigins))].sort(),
  };
}

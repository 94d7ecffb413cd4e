import { dirname } from 'node:path';
import type { Config } from '../config/config.ts';
import { NodeDatabases } from '../database/node-databases.ts';
import { DATABASE_ENGINES, type DatabaseEngine, type DatabaseFolders } from '../domain/database.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { Catalogue, DATABASE_MOUNT } from '../domain/template.ts';
import type { Checkpointing } from '../pool/interfaces/checkpointing.ts';
import type { Consumption } from '../pool/interfaces/consumption.ts';
import type { ContainerRuntime } from '../pool/interfaces/container-runtime.ts';
import type { Databases } from '../pool/interfaces/databases.ts';
import type { ImageStorage } from '../pool/interfaces/image-storage.ts';
import type { Networks } from '../pool/interfaces/networks.ts';
import { detectEngine } from '../runtime/detect.ts';
import type { OpenOptions } from '../runtime/engine.ts';
import type { Publishing } from '../runtime/isolation/publishing.ts';
import { CONTAINER_ENGINES, STAND_IN, loadEngine, type Engine } from '../runtime/engines.ts';
import { NO_ENGINE } from '../runtime/no-engine.ts';

/**
 * The engine to use. `auto` takes the first that answers, else the stand-in, and says why the
 * better ones were not taken. `none` is one as well, which refuses what it is asked for.
 * `isWorker`: throws engine_unavailable in place of the stand-in, which visitors of other hosts would be sent to.
 */
export async function chooseEngine(config: Config, log: Log, { isWorker = false } = {}): Promise<Engine> {
  const { mode, sockets } = config.containers;
  if (mode === NO_ENGINE.name) return NO_ENGINE;
  if (mode !== 'auto') return loadEngine(mode);
  const { engine: name, tried } = await detectEngine(sockets);
  const reasons = tried.map(({ reason }) => reason);
  const engine = await loadEngine(name);
  if (isWorker && !engine.runsContainers)
    throw new TryItNowError(
      'engine_unavailable',
      `No container engine answers on this host (${reasons.join('; ')}), and what a worker makes is for visitors: it ` +
        'takes no simulated containers by itself. Start the engine, or say where it is ' +
        `(${CONTAINER_ENGINES.map(({ socket }) => socket.variable).join(', ')}); CONTAINER_MODE=${STAND_IN.name} ` +
        'is for a trial',
    );
  if (engine.runsContainers) log.info({ engine: name, reasons }, 'Container engine chosen');
  else log.warn({ reasons }, 'No container engine answers: instances are only simulated');
  return engine;
}

/** Nobody chose the stand-in: it is what CONTAINER_MODE=auto was left with. */
export function isLastResort(engine: Engine, { containers }: Config): boolean {
  return !engine.runsContainers && containers.mode === 'auto';
}

/** Its containers are part of the server's process, where nobody else sees them. */
export function isInProcess({ name }: Engine, { containers }: Config): boolean {
  return containers.sockets[name] === undefined;
}

/** What not every process asks for. `catalogue`: where it changes; as configured without it. */
export type EngineExtras = Pick<
  OpenOptions,
  | 'catalogue'
  | 'hasRoom'
  | 'onLookup'
  | 'onFetched'
  | 'onImageMissing'
  | 'pulls'
  | 'pinnedImages'
  | 'decidesImages'
  | 'tracer'
>;

/** `more`: what only a server that counts asks for. */
export function createRuntime(engine: Engine, config: Config, log: Log, more: EngineExtras = {}): ContainerRuntime {
  return engine.createRuntime({ ...openOptions(engine, config, log), ...more });
}

/** Undefined for an engine that cannot restore. Whether this host can is only known once it was tried. */
export function createCheckpointing(
  engine: Engine,
  config: Config,
  log: Log,
  more: EngineExtras = {},
): Checkpointing | undefined {
  return engine.runsContainers
    ? engine.createCheckpointing?.({ ...openOptions(engine, config, log), ...more })
    : undefined;
}

/** Undefined for a stand-in, which has none. */
export function createNetworks(
  engine: Engine,
  config: Config,
  log: Log,
  more: EngineExtras = {},
): Networks | undefined {
  return engine.runsContainers ? engine.createNetworks({ ...openOptions(engine, config, log), ...more }) : undefined;
}

/** Undefined for a stand-in, which has none. */
export function createImageStorage(engine: Engine, config: Config, log: Log): ImageStorage | undefined {
  return engine.runsContainers ? engine.createImageStorage(openOptions(engine, config, log)) : undefined;
}

/** Undefined for a stand-in, whose containers take nothing. */
export function createConsumption(engine: Engine, config: Config, log: Log): Consumption | undefined {
  return engine.runsContainers ? engine.createConsumption(openOptions(engine, config, log)) : undefined;
}

/** It may be upgraded while a process of ours runs. */
const ASK_VERSION_EVERY_MS = 10 * 60_000;
/** Of an engine that was too busy to say. */
const ASK_VERSION_AGAIN_MS = 60_000;

/** As the engine said last; nobody waits for it. */
export function engineVersion(engine: Engine, { containers }: Config): () => string | undefined {
  if (!engine.runsContainers) return () => undefined;
  const inspection = engine.inspect(containers.sockets[engine.name]);
  let known: string | undefined;
  let askedAtMs = -Infinity;
  return () => {
    if (performance.now() - askedAtMs > ASK_VERSION_EVERY_MS) {
      askedAtMs = performance.now();
      // Whoever starts instances says that it does not answer.
      void inspection.facts().then(
        ({ version }) => (known = version),
        () => (askedAtMs += ASK_VERSION_AGAIN_MS - ASK_VERSION_EVERY_MS),
      );
    }
    return known;
  };
}

function openOptions(
  { name }: Engine,
  { deployment, node, containers, databases, templates }: Config,
  log: Log,
): OpenOptions {
  return {
    deployment,
    node: node.name,
    publishing: publishing({ node, containers }),
    catalogue: new Catalogue(templates),
    log,
    socketPath: containers.sockets[name],
    ...(containers.registryAuthFile === undefined ? {} : { registryAuthFile: containers.registryAuthFile }),
    databaseFolders: databaseFolders(databases),
  };
}

/** Where this host's instances are published. */
export function publishing({ node, containers }: Pick<Config, 'node' | 'containers'>): Publishing {
  return { address: node.address, ports: containers.portRange, proxies: node.proxies };
}

/** The folder and not the socket: a server that is restarted makes a new socket in it. */
function databaseFolders(servers: Config['databases']): DatabaseFolders {
  return Object.fromEntries(
    DATABASE_ENGINES.flatMap((engine) => {
      const server = servers[engine];
      return server === undefined ? [] : [[engine, dirname(server.socketPath)] as const];
    }),
  );
}

/** Most deployments have no database server, and need not load what speaks with one. */
const CONNECT = {
  mariadb: async () => (await import('../database/mariadb/mariadb-databases.ts')).connectMariadb,
  postgresql: async () => (await import('../database/postgresql/postgres-databases.ts')).connectPostgres,
} as const;

/** Undefined without a database server. `catalogue`: where it changes. */
export async function connectDatabases(
  config: Config,
  use: 'server' | 'command',
  log: Log,
  catalogue: Pick<Catalogue, 'all'> = new Catalogue(config.templates),
): Promise<Databases | undefined> {
  const servers = new Map<DatabaseEngine, Databases>();
  for (const engine of DATABASE_ENGINES) {
    const server = await connectDatabase(engine, config, use, log, catalogue);
    if (server !== undefined) servers.set(engine, server);
  }
  return servers.size === 0 ? undefined : new NodeDatabases(Object.fromEntries(servers));
}

/** Undefined without a server of this engine. */
export async function connectDatabase(
  engine: DatabaseEngine,
  { databases, deployment, templates }: Config,
  use: 'server' | 'command',
  log: Log,
  catalogue: Pick<Catalogue, 'all'> = new Catalogue(templates),
): Promise<Databases | undefined> {
  const login = databases[engine];
  if (login === undefined) return undefined;
  const connect = await CONNECT[engine]();
  return connect({
    ...login,
    deployment,
    mountedAt: DATABASE_MOUNT,
    catalogue,
    guards: use === 'server',
    log,
  });
}

/**
 * Prepares the runtime's host, and names the setting that would let a wrong choice pass. Templates whose
 * image is missing are left to fail by themselves, and to recover once it is there, as long as another one
 * has its image. Throws engine_unavailable, image_missing.
 */
export async function prepareRuntime(
  runtime: Pick<ContainerRuntime, 'prepare'>,
  config: Config,
  log: Log,
): Promise<void> {
  try {
    await runtime.prepare(config.templates);
  } catch (error) {
    if (!(error instanceof TryItNowError)) throw error;
    if (error.code === 'image_missing' && isSome(error.details?.['templates'], config.templates.length)) {
      log.error(
        { reason: error.message, templates: error.details?.['templates'] },
        'Templates without their image are not filled until it is there',
      );
      return;
    }
    if (error.code !== 'engine_unavailable') throw error;
    throw new TryItNowError(
      'engine_unavailable',
      `${error.message} (CONTAINER_MODE is ${config.containers.mode}; CONTAINER_MODE=${STAND_IN.name} runs ` +
        'without an engine)',
      { cause: error },
    );
  }
}

function isSome(missing: unknown, all: number): boolean {
  return Array.isArray(missing) && missing.length < all;
}

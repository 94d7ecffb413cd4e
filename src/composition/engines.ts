import { dirname } from 'node:path';
import type { Config } from '../config/config.ts';
import { connectMariadb } from '../database/mariadb.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { DATABASE_MOUNT } from '../domain/template.ts';
import type { Checkpointing } from '../pool/interfaces/checkpointing.ts';
import type { ContainerRuntime } from '../pool/interfaces/container-runtime.ts';
import type { Databases } from '../pool/interfaces/databases.ts';
import type { Networks } from '../pool/interfaces/networks.ts';
import { detectEngine } from '../runtime/detect.ts';
import { createDockerRuntime } from '../runtime/docker/docker-runtime.ts';
import { EngineNetworks } from '../runtime/docker/engine-networks.ts';
import type { EngineOptions } from '../runtime/docker/engine-runtime.ts';
import { createPodmanCheckpointing } from '../runtime/podman/checkpoint/podman-checkpointing.ts';
import { createPodmanRuntime } from '../runtime/podman/podman-runtime.ts';
import { RemoteSimulatedRuntime } from '../runtime/simulated/remote-simulated-runtime.ts';
import { SimulatedRuntime } from '../runtime/simulated/simulated-runtime.ts';

export type Engine = ContainerRuntime['engine'];

/** The engine to use. `auto` takes Podman, else Docker, else the simulated one, and says why the better ones were not taken. */
export async function chooseEngine(config: Config, log: Log): Promise<Engine> {
  const { mode, podmanSocket, dockerSocket } = config.containers;
  if (mode !== 'auto') return mode;
  const { engine, tried } = await detectEngine({ podman: podmanSocket, docker: dockerSocket });
  const reasons = tried.map(({ reason }) => reason);
  if (engine === 'simulated') log.warn({ reasons }, 'No container engine answers: instances are only simulated');
  else log.info({ engine, reasons }, 'Container engine chosen');
  return engine;
}

/** The only switch on engine names. */
export function createRuntime(engine: Engine, config: Config, log: Log): ContainerRuntime {
  switch (engine) {
    case 'podman':
    case 'docker':
      return (engine === 'podman' ? createPodmanRuntime : createDockerRuntime)(engineOptions(engine, config, log));
    case 'simulated':
      return simulated(config);
  }
}

function simulated({ containers: { simulatedSocket }, deployment, node }: Config): ContainerRuntime {
  return simulatedSocket === undefined
    ? new SimulatedRuntime()
    : new RemoteSimulatedRuntime({ socketPath: simulatedSocket, deployment, node: node.name });
}

/** Undefined for an engine that cannot restore. Whether this host can is only known once it was tried. */
export function createCheckpointing(engine: Engine, config: Config, log: Log): Checkpointing | undefined {
  return engine === 'podman' ? createPodmanCheckpointing(engineOptions(engine, config, log)) : undefined;
}

/** Undefined for the simulated engine, which has none. */
export function createNetworks(engine: Engine, config: Config, log: Log): Networks | undefined {
  return engine === 'simulated' ? undefined : new EngineNetworks(engine, engineOptions(engine, config, log));
}

function engineOptions(
  engine: 'podman' | 'docker',
  { deployment, node, containers, database }: Config,
  log: Log,
): EngineOptions {
  return {
    deployment,
    node: node.name,
    log,
    socketPath: engine === 'podman' ? containers.podmanSocket : containers.dockerSocket,
    // The folder and not the socket: a server that is restarted makes a new socket in it.
    ...(database === undefined ? {} : { databaseFolder: dirname(database.socketPath) }),
  };
}

/** Undefined without a database server. */
export function connectDatabases(
  { database, deployment, templates }: Config,
  use: 'server' | 'command',
  log: Log,
): Databases | undefined {
  return database === undefined
    ? undefined
    : connectMariadb({
        ...database,
        deployment,
        mountedAt: DATABASE_MOUNT,
        catalogue: templates,
        tidiesSeeds: use === 'server',
        log,
      });
}

/**
 * Prepares the runtime's host, and names the setting that would let a wrong choice pass. Templates whose image is missing are
 * left to fail by themselves, and to recover once it is there, as long as another one has its image. Throws engine_unavailable, image_missing.
 */
export async function prepareRuntime(runtime: ContainerRuntime, config: Config, log: Log): Promise<void> {
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
      `${error.message} (CONTAINER_MODE is ${config.containers.mode}; CONTAINER_MODE=simulated runs without an engine)`,
      { cause: error },
    );
  }
}

function isSome(missing: unknown, all: number): boolean {
  return Array.isArray(missing) && missing.length < all;
}

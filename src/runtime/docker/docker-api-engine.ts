import type { Checkpointing } from '../../pool/interfaces/checkpointing.ts';
import type { ContainerRuntime } from '../../pool/interfaces/container-runtime.ts';
import type { ContainerEngine, ContainerEngineBehaviour, EngineLaunch, OpenOptions } from '../engine.ts';
import { EngineNetworks, type ReconnectContainer } from './engine-networks.ts';
import type { EngineOptions } from './engine-options.ts';
import { HostConsumption } from './host-consumption.ts';
import { EngineImageStorage } from './image-storage.ts';
import { inspectEngine } from './inspection.ts';
import { probeSocket, type PingHeaders } from './probe.ts';

/** What engines that speak Docker's API have in common; each brings the rest. */
export function dockerApiEngine(
  engine: ContainerEngine,
  own: {
    readonly createRuntime: (options: EngineOptions) => ContainerRuntime;
    readonly createCheckpointing?: (options: EngineOptions) => Checkpointing;
    /** Who it is that sent these, if it is not the engine: completes "what answers is …". */
    readonly stranger: (headers: PingHeaders) => string | undefined;
    readonly launch?: EngineLaunch;
    readonly shortcomings?: ContainerEngineBehaviour['shortcomings'];
    readonly whyNotShared?: ContainerEngineBehaviour['whyNotShared'];
    readonly reconnect?: ReconnectContainer;
  },
): ContainerEngineBehaviour {
  const located = ({ socketPath, ...options }: OpenOptions): EngineOptions => ({
    ...options,
    socketPath: socketPath ?? engine.socket.default,
  });
  const { createCheckpointing, launch, shortcomings, whyNotShared } = own;
  return {
    createRuntime: (options) => own.createRuntime(located(options)),
    createNetworks: (options) => new EngineNetworks(engine, located(options), own.reconnect),
    createImageStorage: (options) => new EngineImageStorage(engine, located(options)),
    createConsumption: (options) => new HostConsumption(engine, located(options)),
    probe: (socketPath) => probeSocket(engine, socketPath, own.stranger),
    inspect: (socketPath) => inspectEngine(engine, socketPath),
    ...(createCheckpointing === undefined
      ? {}
      : { createCheckpointing: (options: OpenOptions) => createCheckpointing(located(options)) }),
    ...(launch === undefined ? {} : { launch }),
    ...(shortcomings === undefined ? {} : { shortcomings }),
    ...(whyNotShared === undefined ? {} : { whyNotShared }),
  };
}

import Dockerode from 'dockerode';
import { afterAll, beforeAll, describe } from 'vitest';
import type { LookupOutcome } from '../../src/domain/egress.ts';
import type { ImagePin } from '../../src/domain/image-pin.ts';
import { createDockerRuntime } from '../../src/runtime/docker/docker-runtime.ts';
import type { EngineOptions } from '../../src/runtime/docker/engine-options.ts';
import type { EngineRuntime } from '../../src/runtime/docker/engine-runtime.ts';
import { createPodmanRuntime } from '../../src/runtime/podman/podman-runtime.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import {
  launchEngine,
  uniqueDeployment,
  whyWithoutSandbox,
  type LaunchedEngine,
  type RealEngine,
} from '../support/container-engine.ts';
import { template } from '../support/templates.ts';
import { loadTinyImage, type TinyImage } from '../support/tiny-image.ts';
import { kernelSurfaceContract } from '../hostile/kernel-surface.ts';
import { commandsContract } from './container-commands.ts';
import { forwardingContract } from './container-forwarding.ts';
import { hardeningContract } from './container-hardening.ts';
import { surroundingsContract } from './container-surroundings.ts';
import { imagesContract } from './container-images.ts';
import { isolationContract } from './container-isolation.ts';
import { containerRuntimeContract } from './container-runtime.ts';
import { sandboxContract } from './container-sandbox.ts';
import { networksContract } from './container-networks.ts';
import { servicesContract } from './container-services.ts';

export interface EngineUnderTest {
  readonly engine: RealEngine;
  readonly socketPath: string;
  readonly image: TinyImage;
  readonly deployment: string;
  /** How look-ups of instances that reach named places alone have ended. */
  readonly lookups: ReadonlySet<LookupOutcome>;
  readonly runtime: (
    deployment?: string,
    node?: string,
    resolvers?: readonly string[],
    databaseFolder?: string,
    registryAuthFile?: string,
    pinnedImages?: ReadonlyMap<string, ImagePin>,
    pulls?: EngineOptions['pulls'],
  ) => EngineRuntime;
}

/**
 * The whole contract on a real engine: what every runtime promises, what an instance may not do,
 * and whom it cannot reach.
 */
export function containerEngineContract(engine: RealEngine): void {
  let launched: LaunchedEngine;
  let image: TinyImage;
  const deployment = uniqueDeployment();
  const lookups = new Set<LookupOutcome>();
  const create = engine === 'podman' ? createPodmanRuntime : createDockerRuntime;

  beforeAll(async () => {
    launched = await launchEngine(engine);
    image = await loadTinyImage(launched.socketPath);
  });
  afterAll(async () => {
    await shared?.close();
    await image[Symbol.asyncDispose]();
    await launched[Symbol.asyncDispose]();
  });

  const made: EngineUnderTest['runtime'] = (
    of = deployment,
    node = 'node-a',
    resolvers = ['127.0.0.1'],
    databaseFolder,
    registryAuthFile,
    pinnedImages = new Map(),
    pulls,
  ) =>
    create({
      socketPath: launched.socketPath,
      deployment: of,
      node,
      resolvers,
      databaseFolders: databaseFolder === undefined ? {} : { mariadb: databaseFolder },
      registryAuthFile,
      pinnedImages,
      ...(pulls === undefined ? {} : { pulls }),
      onLookup: (_, outcome) => lookups.add(outcome),
      log: createLogger('silent'),
    });
  // Most tests can share one: what a new one asks first costs Podman half a second of processor time.
  let shared: EngineRuntime | undefined;
  const underTest = (): EngineUnderTest => ({
    engine,
    socketPath: launched.socketPath,
    image,
    deployment,
    lookups,
    runtime: (...wanted) => (wanted.every((each) => each === undefined) ? (shared ??= made()) : made(...wanted)),
  });

  if (engine === 'docker') describe('isolation', () => isolationContract(underTest));
  describe('forwarding', () => forwardingContract(underTest));
  describe('as every runtime', () => {
    const container = (name: string): Dockerode.Container =>
      new Dockerode({ host: '', socketPath: launched.socketPath }).getContainer(name);
    containerRuntimeContract({
      deployment,
      // That suite closes what it was given.
      runtime: made,
      template: () => template({ image: image.name, port: image.port }),
      // To the app's own output, as if it had written it.
      says: async ({ name }, text) => {
        await underTest()
          .runtime()
          .exec(
            name,
            { command: ['/bin/sh', '-c', `echo ${text} > /proc/1/fd/1`], env: {}, timeoutMs: 20_000 },
            new AbortController().signal,
          );
      },
      accidents: {
        crash: async (name) => {
          process.kill((await container(name).inspect()).State.Pid, 'SIGKILL');
        },
        removeByForce: async (name) => {
          await container(name).remove({ force: true });
        },
      },
    });
  });
  describe('commands and mounts', () => commandsContract(underTest));
  describe('hardening', () => hardeningContract(underTest));
  describe('the kernel', () => kernelSurfaceContract(underTest));
  describe('networks', () => networksContract(underTest));
  describe('images', () => imagesContract(underTest));
  describe('surroundings', () => surroundingsContract(underTest));
  describe.skipIf(whyWithoutSandbox() !== undefined)('a sandbox', () => sandboxContract(underTest));
  describe('services', () => servicesContract(underTest));
  // The suites of two engines, which take turns here, wait for each other the less.
  if (engine === 'podman') describe('isolation', () => isolationContract(underTest));
}

import { afterAll, beforeAll, describe } from 'vitest';
import { createPodmanCheckpointing } from '../../src/runtime/podman/checkpoint/podman-checkpointing.ts';
import { createPodmanRuntime } from '../../src/runtime/podman/podman-runtime.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import {
  launchEngine,
  titleFor,
  uniqueDeployment,
  whyWithout,
  type LaunchedEngine,
} from '../support/container-engine.ts';
import { kernelOfClonesContract } from '../hostile/kernel-of-clones.ts';
import { loadTinyImage, type TinyImage } from '../support/tiny-image.ts';
import { obstacleContract } from './checkpointing-obstacles.ts';
import { trialContract } from './checkpointing-trial.ts';
import { cloneContract } from './checkpointing-clones.ts';
import { WHY_NO_SHARING, memorySharingContract } from './memory-sharing.ts';
import { checkpointingContract, type CheckpointingUnderTest } from './checkpointing.ts';

describe.skipIf(whyWithout('podman') !== undefined)(titleFor('podman'), () => {
  let launched: LaunchedEngine;
  let image: TinyImage;
  const deployment = uniqueDeployment();

  beforeAll(async () => {
    launched = await launchEngine('podman');
    image = await loadTinyImage(launched.socketPath);
  });
  afterAll(async () => {
    await image[Symbol.asyncDispose]();
    await launched[Symbol.asyncDispose]();
  });

  const underTest = (): CheckpointingUnderTest => {
    const { socketPath } = launched;
    const options = { socketPath, deployment, node: 'node-a', log: createLogger('silent') };
    return {
      engine: 'podman',
      socketPath,
      image,
      deployment,
      runtime: (of = deployment, node = 'node-a', resolvers = ['127.0.0.1'], databaseFolder) =>
        createPodmanRuntime({
          ...options,
          deployment: of,
          node,
          resolvers,
          databaseFolders: databaseFolder === undefined ? {} : { mariadb: databaseFolder },
        }),
      checkpointing: (databaseFolder) =>
        createPodmanCheckpointing({
          ...options,
          resolvers: ['127.0.0.1'],
          databaseFolders: databaseFolder === undefined ? {} : { mariadb: databaseFolder },
        }),
    };
  };

  describe('checkpoints', () => checkpointingContract(underTest));
  describe('what stands in the way of a checkpoint', () => obstacleContract(underTest));
  describe('a clone', () => cloneContract(underTest));
  describe('the kernel of a clone', () => kernelOfClonesContract(underTest));
  describe.skipIf(WHY_NO_SHARING !== undefined)(
    `memory${WHY_NO_SHARING === undefined ? '' : ` (skipped: ${WHY_NO_SHARING})`}`,
    () => memorySharingContract(underTest),
  );
  describe('where checkpoints do not work', trialContract);
});

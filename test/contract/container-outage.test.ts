import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect } from 'vitest';
import type { ChildServer } from '../../src/launcher/child-server.ts';
import { launchDocker } from '../../src/runtime/docker/launch.ts';
import { launchPodman } from '../../src/runtime/podman/launch.ts';
import { launchSimulatedEngine } from '../../src/runtime/simulated/launch.ts';
import { createDockerRuntime } from '../../src/runtime/docker/docker-runtime.ts';
import { createPodmanCheckpointing } from '../../src/runtime/podman/checkpoint/podman-checkpointing.ts';
import { createPodmanRuntime } from '../../src/runtime/podman/podman-runtime.ts';
import { RemoteSimulatedRuntime } from '../../src/runtime/simulated/remote-simulated-runtime.ts';
import type { ContainerRuntime } from '../../src/pool/interfaces/container-runtime.ts';
import { titleFor, uniqueDeployment, whyWithout } from '../support/container-engine.ts';
import { eventually } from '../support/eventually.ts';
import { silent } from '../support/store.ts';
import { template } from '../support/templates.ts';
import { loadTinyImage } from '../support/tiny-image.ts';
import { newSpec } from './container-runtime.ts';
import { outageContract, type FragileEngine } from './container-outage.ts';

interface Launched extends AsyncDisposable {
  readonly socketPath: string;
  readonly server: ChildServer;
}

interface Kind {
  readonly launch: (dir: string) => Promise<Launched>;
  readonly runtime: (socketPath: string, deployment: string) => ContainerRuntime;
  readonly impatient: Kind['runtime'];
  readonly image: (socketPath: string) => Promise<FragileEngine['image'] & Partial<AsyncDisposable>>;
  readonly moreCalls?: (socketPath: string, deployment: string) => Promise<unknown>[];
  /** Removes what a killed engine leaves. */
  readonly tidy?: (dir: string) => Promise<unknown>;
}

async function fragile({ launch, runtime, impatient, image, moreCalls, tidy }: Kind): Promise<FragileEngine> {
  const dir = await mkdtemp(join(tmpdir(), 'tin-outage-'));
  const deployment = uniqueDeployment();
  const launched = [await launch(dir)];
  const { socketPath } = launched[0] ?? { socketPath: '' };
  const loaded = await image(socketPath);
  const engine = runtime(socketPath, deployment);
  return {
    runtime: engine,
    impatient: impatient(socketPath, deployment),
    image: loaded,
    server: () => (launched.at(-1) as Launched).server,
    launchAgain: async () => {
      launched.push(await launch(dir));
    },
    ...(moreCalls === undefined ? {} : { moreCalls: () => moreCalls(socketPath, deployment) }),
    [Symbol.asyncDispose]: async () => {
      // What was asked of a stopped engine may be done late, after the request timed out.
      await eventually(
        async () => {
          for (const { name } of await engine.list()) await engine.remove(name);
          expect(await engine.unprepare()).toBe(true);
        },
        { timeoutMs: 20_000 },
      );
      await loaded[Symbol.asyncDispose]?.();
      for (const each of launched.reverse()) await each[Symbol.asyncDispose]();
      await tidy?.(dir);
      await rm(dir, { recursive: true });
    },
  };
}

/** It ends with a dockerd that is killed, but the next one waits in vain for one that nobody has taken note of yet. */
async function untilContainerdIsGone(dir: string): Promise<void> {
  const pid = Number(await readFile(join(dir, 'exec/containerd/containerd.pid'), 'utf8').catch(() => ''));
  if (pid > 0) await eventually(() => expect(existsSync(`/proc/${pid}`)).toBe(false));
}

const options = (socketPath: string, deployment: string) => ({
  socketPath,
  deployment,
  node: 'node-a',
  resolvers: ['127.0.0.1'],
  log: silent,
});
const impatient = (socketPath: string, deployment: string) => ({
  ...options(socketPath, deployment),
  patience: { callMs: 3_000, lookMs: 2_000 },
});

describe.concurrent('simulated, in a process of its own', () =>
  outageContract(() =>
    fragile({
      launch: (dir) => launchSimulatedEngine({ socketPath: join(dir, 'engine.sock') }),
      runtime: (socketPath, deployment) => new RemoteSimulatedRuntime({ socketPath, deployment, node: 'node-a' }),
      impatient: (socketPath, deployment) =>
        new RemoteSimulatedRuntime({ socketPath, deployment, node: 'node-a', patienceMs: 2_000 }),
      image: () => Promise.resolve({ name: 'none', port: 80 }),
    }),
  ),
);

describe.skipIf(whyWithout('podman') !== undefined)(titleFor('podman'), { concurrent: true }, () =>
  outageContract(() =>
    fragile({
      launch: (dir) => launchPodman({ socketPath: join(dir, 'podman.sock') }),
      runtime: (socketPath, deployment) => createPodmanRuntime(options(socketPath, deployment)),
      impatient: (socketPath, deployment) => createPodmanRuntime(impatient(socketPath, deployment)),
      image: (socketPath) => loadTinyImage(socketPath),
      moreCalls: (socketPath, deployment) => {
        const checkpointing = createPodmanCheckpointing(impatient(socketPath, deployment));
        const restored = newSpec(template()).then((spec) =>
          checkpointing.restore(
            spec,
            { id: 'none', folder: '/nowhere', fileLocks: false },
            new AbortController().signal,
          ),
        );
        return [checkpointing.host(template()), restored];
      },
    }),
  ),
);

describe.skipIf(whyWithout('docker') !== undefined)(titleFor('docker'), () =>
  outageContract(() =>
    fragile({
      launch: async (dir) => {
        await untilContainerdIsGone(dir);
        return launchDocker({ dir });
      },
      // Each dockerd mounts its folder over itself; one that is killed leaves it so.
      tidy: (dir) => promisify(execFile)('umount', [join(dir, 'data')]).catch(() => undefined),
      runtime: (socketPath, deployment) => createDockerRuntime(options(socketPath, deployment)),
      impatient: (socketPath, deployment) => createDockerRuntime(impatient(socketPath, deployment)),
      image: (socketPath) => loadTinyImage(socketPath),
    }),
  ),
);

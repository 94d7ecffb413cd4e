import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Dockerode from 'dockerode';
import { findProgram } from '../../src/launcher/child-server.ts';
import { launchPodman } from '../../src/runtime/podman/launch.ts';
import { eventually } from '../support/eventually.ts';
import { loadTinyImage } from '../support/tiny-image.ts';
import { figure, type Figure } from './figures.ts';
import { acquireInSequence, releaseInSequence } from './load.ts';
import { startServerProcess } from './server-process.ts';

const CONTAINERS = 20;
const HELLO = 'localhost/try-it-now/hello:latest';

/** An empty pool of real containers to twenty ready ones, and how soon a released one is gone. */
export async function benchColdPool(): Promise<Figure[]> {
  if (findProgram('podman') === undefined) {
    console.log('The cold pool is not measured: Podman is not installed (make setup installs it).');
    return [];
  }
  const dir = await mkdtemp(join(tmpdir(), 'try-it-now-bench-'));
  await using podman = await launchPodman({ socketPath: join(dir, 'podman.sock') });
  const { socketPath } = podman;
  const docker = new Dockerode({ host: '', socketPath });
  try {
    const figures = await benchTiny(socketPath, docker);
    const images = await docker.listImages({ filters: { reference: [HELLO] } });
    if (images.length > 0) figures.push(...(await benchHello(socketPath)));
    else console.log('hello is not measured: its image is not built (make up builds it).');
    return figures;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function benchTiny(socketPath: string, docker: Dockerode): Promise<Figure[]> {
  await using image = await loadTinyImage(socketPath);
  await using server = await startServerProcess({
    engine: 'podman',
    socketPath,
    target: CONTAINERS,
    workers: 8,
    portRange: [14_000, 14_199],
    threshold: 0.99,
    app: { image: image.name, port: image.port },
  });
  const {
    acquired: [one],
  } = await acquireInSequence(server.api, 1);
  if (one === undefined) throw new Error('nothing was acquired');
  const label = [`try-it-now.instance=${one.id}`];
  const [releaseMs] = await releaseInSequence(server.api, [one.id]);
  const startedAt = performance.now();
  await eventually(
    async () => {
      if ((await docker.listContainers({ all: true, filters: { label } })).length > 0)
        throw new Error('the container is still there');
    },
    { timeoutMs: 20_000, everyMs: 10 },
  );
  return [
    figure(`${CONTAINERS} tiny containers ready, from nothing, server start included`, server.filledInMs / 1_000, 's', {
      atMost: 8,
    }),
    figure('release of a container, answer', releaseMs ?? NaN, 'ms', { atMost: 5 }),
    figure('release of a container, until it is gone', (performance.now() - startedAt) / 1_000, 's', { atMost: 1 }),
  ];
}

async function benchHello(socketPath: string): Promise<Figure[]> {
  await using server = await startServerProcess({
    engine: 'podman',
    socketPath,
    target: CONTAINERS,
    workers: 8,
    portRange: [14_200, 14_399],
    threshold: 0.99,
    app: {
      image: HELLO,
      port: 3000,
      readiness: { path: '/healthz', timeout: '120s' },
      limits: { memory: '256MiB', cpus: 1, pids: 64 },
    },
  });
  return [figure(`${CONTAINERS} containers of hello ready, from nothing`, server.filledInMs / 1_000, 's')];
}

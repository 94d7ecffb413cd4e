import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { Logger } from 'pino';
import { Client } from 'undici';
import { stringify } from 'yaml';
import { openCheckpointContext, type CheckpointContext } from '../../src/composition/checkpoint-context.ts';
import { loadConfig } from '../../src/config/load.ts';
import { templateVersion, type Template } from '../../src/domain/template.ts';
import { findProgram } from '../../src/launcher/child-server.ts';
import { launchPodman } from '../../src/runtime/podman/launch.ts';
import { sleep } from '../../src/lifecycle/sleep.ts';
import { createCheckpoint } from '../../src/pool/checkpoints.ts';
import type { Checkpointing, OpenCheckpoint } from '../../src/pool/interfaces/checkpointing.ts';
import type { ContainerSpec } from '../../src/pool/interfaces/container-runtime.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { startStack } from '../support/stack.ts';
import { figure, median, percentile, type Figure } from './figures.ts';
import { HELLO, buildHello } from './hello.ts';
import { startServerProcess, type ServerProcess } from './server-process.ts';

/** Podman cannot restore what it mounted its init into by a link, as Debian's package names it. */
const FOR_THE_ENGINE = { ...HELLO, name: 'bench-engine', init: false };
const SAMPLES = 12;
const COLD_SAMPLES = 5;
const ACQUIRES = 100;
/** About what one worker restores in that time, so that it is at work all along. */
const ACQUIRE_GAP_MS = 330;
const PORTS = 23_000;

const never = new AbortController().signal;
const quiet = (): void => undefined;

interface Workbench {
  readonly template: Template;
  readonly context: CheckpointContext;
  readonly checkpointing: Checkpointing;
  readonly from: OpenCheckpoint;
  readonly archive: string;
  /** One that the engine can restore by itself. */
  readonly engineArchive: string;
  readonly socketPath: string;
  /** What the engine said of each restore so far. */
  readonly told: readonly EnginePart[];
}

/** A part contains the next: Podman's import, in it the container runtime's restore, in it CRIU's; in ms. */
interface EnginePart {
  readonly importMs: number;
  readonly runtimeMs: number;
  readonly criuMs: number;
}

/** Restore against cold start of hello, on Podman: alone, side by side, and through the whole of the pool. */
export async function benchRestore(): Promise<Figure[]> {
  if (findProgram('podman') === undefined) {
    console.log('Restores are not measured: Podman is not installed (make setup installs it).');
    return [];
  }
  await buildHello();
  const dir = await mkdtemp(join(tmpdir(), 'try-it-now-bench-'));
  await using podman = await launchPodman({ socketPath: join(dir, 'podman.sock') });
  const { socketPath } = podman;
  try {
    const catalogue = join(dir, 'templates.yaml');
    await writeFile(
      catalogue,
      stringify({
        templates: [HELLO, FOR_THE_ENGINE].map((template) => ({ ...template, pool: { target: 0, max: 1 } })),
      }),
    );
    const checkpoints = join(dir, 'checkpoints');
    const env = { CHECKPOINT_DIR: checkpoints, CRIU_ENABLED: 'auto' };
    const [template, forTheEngine] = loadConfig({ ...env, TEMPLATES_FILE: catalogue }).config.templates;
    if (template === undefined || forTheEngine === undefined) throw new Error('the catalogue has two templates');
    await using stack = await startStack({ engine: 'podman', socketPath, templates: [template, forTheEngine], env });
    const told: EnginePart[] = [];
    const context = await openCheckpointContext(stack.config, listening(told));
    try {
      const { checkpointing } = context;
      if (checkpointing === undefined) throw new Error('Podman has checkpoints');
      const { id } = await createCheckpoint(context, template.name, quiet, never);
      const from = await context.checkpointRepository.open(id, {
        template: template.name,
        templateVersion: templateVersion(template),
        host: await checkpointing.host(template),
      });
      const archive = join(checkpoints, template.name, `${id}.tar`);
      const engines = await createCheckpoint(context, forTheEngine.name, quiet, never);
      const engineArchive = join(checkpoints, forTheEngine.name, `${engines.id}.tar`);
      const workbench: Workbench = { template, context, checkpointing, from, archive, engineArchive, socketPath, told };
      return [...(await alone(workbench)), ...(await throughThePool(socketPath, archive, checkpoints))];
    } finally {
      await context.close();
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function listening(told: EnginePart[]): Logger {
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      const line = JSON.parse(chunk.toString()) as Partial<EnginePart>;
      if (line.importMs !== undefined && line.runtimeMs !== undefined && line.criuMs !== undefined)
        told.push({ importMs: line.importMs, runtimeMs: line.runtimeMs, criuMs: line.criuMs });
      done();
    },
  });
  return createLogger('debug', destination);
}

/** One at a time and several side by side; interleaved, so that a noisy minute hits all alike. */
async function alone(workbench: Workbench): Promise<Figure[]> {
  const { archive } = workbench;
  const cold: number[] = [];
  const restored: number[] = [];
  const engineOwn: number[] = [];
  for (let at = 0; at < SAMPLES; at += 1) {
    if (at < COLD_SAMPLES)
      cold.push(await timed(workbench, at, (spec) => workbench.context.runtime.start(spec, never)));
    restored.push(await timed(workbench, at, (spec) => workbench.checkpointing.restore(spec, workbench.from, never)));
    engineOwn.push(await timed(workbench, at, (spec) => importWhole(workbench, spec)));
  }
  const part = (share: (told: EnginePart) => number): number => median(workbench.told.map(share));
  const figures = [
    figure('hello: archive of its checkpoint', (await stat(archive)).size / 1e6, 'MB'),
    figure('hello: cold start until it answers, p50', median(cold), 'ms'),
    figure('hello: restore until it answers, p50', median(restored), 'ms'),
    figure('hello: restore is faster than a cold start, p50', median(cold) / median(restored), 'times', { atLeast: 4 }),
    figure('hello: restore by the engine alone from the whole archive, p50', median(engineOwn), 'ms'),
    figure(
      'hello: in a restore, Podman: import, storage, network, p50',
      part(({ importMs, runtimeMs }) => importMs - runtimeMs),
      'ms',
    ),
    figure(
      'hello: in a restore, runc around CRIU, p50',
      part(({ runtimeMs, criuMs }) => runtimeMs - criuMs),
      'ms',
    ),
    figure(
      'hello: in a restore, CRIU, p50',
      part(({ criuMs }) => criuMs),
      'ms',
    ),
    figure("hello: our restore beside the engine's own, p50", (median(restored) / median(engineOwn)) * 100, '%', {
      atMost: 125,
    }),
  ];
  for (const workers of [1, 2, 4]) {
    let next = 0;
    const startedAt = performance.now();
    const containers: string[] = [];
    await Promise.all(
      Array.from({ length: workers }, async () => {
        while (next < SAMPLES) {
          const at = next;
          next += 1;
          const spec = specOf(workbench, at);
          containers.push(spec.name);
          await workbench.checkpointing.restore(spec, workbench.from, never);
          await untilReady(workbench, spec);
        }
      }),
    );
    figures.push(
      figure(`hello: restores a second, ${workers} at once`, SAMPLES / ((performance.now() - startedAt) / 1_000), '/s'),
    );
    for (const name of containers) await workbench.context.runtime.remove(name);
  }
  return figures;
}

/**
 * From a pool of restored instances: phases, the whole provision against the engine's part of it, and claims while it
 * refills.
 */
async function throughThePool(socketPath: string, archive: string, checkpoints: string): Promise<Figure[]> {
  await using server = await startServerProcess({
    engine: 'podman',
    socketPath,
    target: 10,
    workers: 1,
    portRange: [PORTS + 100, PORTS + 299],
    threshold: 0,
    app: { ...HELLO, checkpoint: { ...HELLO.checkpoint, file: archive } },
    env: { CHECKPOINT_DIR: checkpoints },
    room: 120,
  });
  const filled = await phases(server);
  const whole = await mean(server, 'try_it_now_provision_duration_seconds', 'template="bench",method="criu_restore"');
  const figures = [...filled].map(([name, ms]) => figure(`restored instance, one at a time: ${name}`, ms, 'ms'));
  const engines = filled.get('restore') ?? NaN;
  figures.push(
    figure('restored instance, one at a time: the whole, ticket to ready', whole, 'ms'),
    figure('restored instance: what is added to the restore', ((whole - engines) / engines) * 100, '%', { atMost: 25 }),
  );
  const latencies: number[] = [];
  const client = new Client(server.api);
  try {
    for (let at = 0; at < ACQUIRES; at += 1) {
      const startedAt = performance.now();
      const { statusCode, body } = await client.request({ method: 'POST', path: '/api/v1/demo/acquire' });
      await body.dump();
      if (statusCode < 300) latencies.push(performance.now() - startedAt);
      await sleep(ACQUIRE_GAP_MS);
    }
  } finally {
    await client.close();
  }
  figures.push(
    figure('claims served while the pool refills by restores', latencies.length, ''),
    figure('claim while the pool refills by restores, p50', median(latencies), 'ms'),
    figure('claim while the pool refills by restores, p99', percentile(latencies, 0.99), 'ms', { atMost: 10 }),
  );
  return figures;
}

/** The mean of each phase of a provision so far, in ms. */
async function phases(server: ServerProcess): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  for (const phase of ['restore', 'readiness', 'activation', 'warmup']) {
    found.set(
      phase,
      await mean(server, 'try_it_now_provision_phase_duration_seconds', `template="bench",phase="${phase}"`),
    );
  }
  return found;
}

async function mean({ api }: ServerProcess, name: string, labels: string): Promise<number> {
  const lines = (await (await fetch(`${api}/metrics`)).text()).split('\n');
  const read = (suffix: string): number =>
    Number(
      lines
        .find((line) => line.startsWith(`${name}_${suffix}{${labels}}`))
        ?.split(' ')
        .at(-1) ?? NaN,
    );
  return (read('sum') / read('count')) * 1_000;
}

function specOf({ template }: Workbench, at: number): ContainerSpec {
  return {
    name: `demo-bench-${process.pid}-${at}`,
    instanceId: undefined,
    template,
    hostPort: PORTS + at,
    env: {},
    keepUntilMs: Date.now() + 600_000,
  };
}

async function untilReady({ context, template }: Workbench, { hostPort }: ContainerSpec): Promise<void> {
  const { timeoutMs } = template.readiness;
  await context.probe.untilOk({ url: `http://127.0.0.1:${hostPort}/healthz`, timeoutMs }, never);
}

/** From asking until the app answers; the container is gone afterwards. */
async function timed(workbench: Workbench, at: number, start: (spec: ContainerSpec) => Promise<void>): Promise<number> {
  const spec = specOf(workbench, at);
  try {
    const startedAt = performance.now();
    await start(spec);
    await untilReady(workbench, spec);
    return performance.now() - startedAt;
  } finally {
    await workbench.context.runtime.remove(spec.name);
  }
}

/** What Podman offers by itself: the whole archive sent, unpacked and restored, over the same socket. */
async function importWhole(
  { engineArchive, socketPath, template }: Workbench,
  { name, hostPort }: ContainerSpec,
): Promise<void> {
  const client = new Client('http://podman', { socketPath });
  const publishPorts = `127.0.0.1:${hostPort}:${template.port}`;
  try {
    const { statusCode, body } = await client.request({
      method: 'POST',
      path: `/v4.0.0/libpod/containers/${name}/restore?import=true&name=${name}&publishPorts=${publishPorts}`,
      headers: { 'content-type': 'application/x-tar' },
      body: createReadStream(engineArchive),
    });
    const text = await body.text();
    if (statusCode >= 300) throw new Error(`Podman answered ${statusCode}: ${text}`);
  } finally {
    await client.close();
  }
}

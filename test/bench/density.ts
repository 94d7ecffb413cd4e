import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Agent, request } from 'undici';
import { parse, stringify } from 'yaml';
import { openCheckpointContext, type CheckpointContext } from '../../src/composition/checkpoint-context.ts';
import { loadConfig } from '../../src/config/load.ts';
import { describeError } from '../../src/domain/errors.ts';
import { containerName, newInstanceId } from '../../src/domain/ids.ts';
import { Catalogue, templateVersion, type Template } from '../../src/domain/template.ts';
import { findProgram } from '../../src/launcher/child-server.ts';
import { sleep } from '../../src/lifecycle/sleep.ts';
import { createCheckpoint } from '../../src/pool/checkpoints.ts';
import type { OpenCheckpoint } from '../../src/pool/interfaces/checkpointing.ts';
import type { ContainerSpec } from '../../src/pool/interfaces/container-runtime.ts';
import { MemorySharing } from '../../src/pool/share-memory.ts';
import { HostConsumption } from '../../src/runtime/docker/host-consumption.ts';
import { KernelPageMerging } from '../../src/runtime/page-merging/page-merging.ts';
import { whyNotShared } from '../../src/runtime/podman/memory-sharing.ts';
import { launchPodman } from '../../src/runtime/podman/launch.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { startStack } from '../support/stack.ts';
import { figure, median, type Figure } from './figures.ts';

/** Of each language one that is shipped. */
const APPS = { hello: 'Node', dokuwiki: 'PHP', jupyter: 'Python', tomcat: 'Java' } as const;
const COUNTS = [8, 16, 32];
const AT_ONCE = 3;
const PORTS = 24_000;
/** What a visitor asks for while looking around. */
const PAGES_OF_A_VISIT = 20;
const LOAD = { seconds: 20, perSecond: 20 };
const STALL_MS = 100;
const ROUND_MS = 500;
const KEPT_MS = 3_600_000;
const MIB = 2 ** 20;

const never = new AbortController().signal;
const quiet = (): void => undefined;
const run = promisify(execFile);

interface Ready {
  readonly template: Template;
  readonly context: CheckpointContext;
  /** Undefined: started cold. */
  readonly from: OpenCheckpoint | undefined;
  readonly consumption: HostConsumption;
}

/** What an instance takes of the memory: alone, among many, shared or not, and after a visitor has used it. */
export async function benchDensity(): Promise<Figure[]> {
  const why = findProgram('podman') === undefined ? 'Podman is not installed (make setup)' : await whyNotShared();
  if (why !== undefined) {
    console.log(`Shared memory is not measured: ${why}.`);
    return [];
  }
  const dir = await mkdtemp(join(tmpdir(), 'try-it-now-bench-'));
  await using podman = await launchPodman({ socketPath: join(dir, 'podman.sock') });
  const figures: Figure[] = [];
  try {
    for (const [app, language] of Object.entries(APPS)) {
      figures.push(...(await measure(app, language, podman.socketPath, join(dir, app))));
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
  return figures;
}

async function measure(app: string, language: string, socketPath: string, dir: string): Promise<Figure[]> {
  const example = fileURLToPath(new URL(`../../examples/${app}/template.yaml`, import.meta.url));
  await run(fileURLToPath(new URL('../../scripts/build-image.sh', import.meta.url)), [
    app,
    ...(app === 'hello' ? ['--build-arg', 'RUN_AS=0:0', '--tag', 'criu'] : []),
  ]);
  const { templates } = parse(await readFile(example, 'utf8')) as { templates: Record<string, unknown>[] };
  const catalogue = `${dir}.yaml`;
  const [first = {}] = templates;
  const image = app === 'hello' ? 'localhost/try-it-now/hello:criu' : first['image'];
  await writeFile(catalogue, stringify({ templates: [{ ...first, image, pool: { target: 0, max: 1 } }] }));
  const env = { CHECKPOINT_DIR: `${dir}-checkpoints`, CRIU_ENABLED: 'auto' };
  const [template] = loadConfig({ ...env, TEMPLATES_FILE: catalogue }).config.templates;
  if (template === undefined) throw new Error(`${example} has no template`);
  await using stack = await startStack({ engine: 'podman', socketPath, templates: [template], env });
  const context = await openCheckpointContext(stack.config, createLogger('silent'));
  try {
    const from = await checkpoint(context, template);
    const consumption = new HostConsumption({ title: 'Podman' }, { socketPath, log: createLogger('silent') });
    const ready: Ready = { template, context, from, consumption };
    const what = `${language} (${app}), ${from === undefined ? 'started cold' : 'restored'}`;
    const apart = await fill(ready, 'private', what);
    const shared = await fill(ready, 'share', what);
    const [alone, together] = [apart.at(32), shared.at(32)];
    return [
      ...apart.figures,
      ...shared.figures,
      figure(
        `${what}: 32 shared beside 32 private`,
        alone / together,
        'times as many per GiB',
        ...(app === 'hello' ? [{ atLeast: 8 }] : []),
      ),
    ];
  } finally {
    await context.close();
  }
}

async function checkpoint(context: CheckpointContext, template: Template): Promise<OpenCheckpoint | undefined> {
  const { checkpointing } = context;
  if (checkpointing === undefined) return undefined;
  try {
    const { id } = await createCheckpoint(context, template.name, quiet, never);
    return await context.checkpointRepository.open(id, {
      template: template.name,
      templateVersion: templateVersion(template),
      host: await checkpointing.host(template),
    });
  } catch (error) {
    console.log(`${template.name} is started cold: ${describeError(error)}`);
    return undefined;
  }
}

interface Filled {
  readonly figures: readonly Figure[];
  /** Bytes of an instance among so many. */
  at(count: number): number;
}

async function fill(ready: Ready, memory: Template['memory'], what: string): Promise<Filled> {
  const { context, template, consumption } = ready;
  const specs: ContainerSpec[] = [];
  const sizes = new Map<number, number>();
  const figures: Figure[] = [];
  const name = `${what}, ${memory === 'share' ? 'shared' : 'private'}`;
  const sharing = sharingOf(ready, specs);
  const settle = async (): Promise<void> => {
    if (memory === 'share') figures.push(...(await merged(sharing, `${name}, ${specs.length}`)));
  };
  const mean = async (of: readonly ContainerSpec[]): Promise<number> => {
    const bytes = await Promise.all(of.map(async (spec) => (await consumption.memoryOf(spec.name)) ?? NaN));
    return bytes.reduce((all, each) => all + each, 0) / bytes.length;
  };
  try {
    for (const count of COUNTS) {
      while (specs.length < count) {
        const more = Math.min(AT_ONCE, count - specs.length);
        const made = await Promise.all(
          Array.from({ length: more }, (_, at) => start(ready, memory, specs.length + at)),
        );
        specs.push(...made);
      }
      await settle();
      sizes.set(count, await mean(specs));
      figures.push(figure(`${name}, ${count}: memory of each (PSS)`, (sizes.get(count) ?? NaN) / MIB, 'MiB'));
    }
    const half = specs.slice(0, specs.length / 2);
    const load = await visit(half, template);
    figures.push(
      figure(`${name}, under load on half of them: pages wrong`, load.wrong, '', { atMost: 0 }),
      figure(`${name}, under load on half of them: median`, median(load.tookMs), 'ms'),
      figure(`${name}, under load on half of them: slowest`, Math.max(...load.tookMs), 'ms', { atMost: STALL_MS }),
      figure(`${name}, after a visit: memory of each (PSS)`, (await mean(half)) / MIB, 'MiB'),
    );
    await settle();
    if (memory === 'share')
      figures.push(
        figure(`${name}, after a visit and merged again: memory of each (PSS)`, (await mean(half)) / MIB, 'MiB'),
      );
  } finally {
    await sharing.stop();
    for (const spec of specs) await context.runtime.remove(spec.name);
  }
  return { figures, at: (count) => sizes.get(count) ?? NaN };
}

/** As a server has it, over these containers. */
function sharingOf({ template, consumption }: Ready, specs: readonly ContainerSpec[]): MemorySharing {
  return new MemorySharing({
    catalogue: new Catalogue([{ ...template, memory: 'share' }]),
    inventory: {
      ofNode: () =>
        Promise.resolve(specs.map((spec) => ({ template: template.name, state: 'ready', container: spec.name }))),
    },
    consumption,
    pageMerging: new KernelPageMerging(),
    observer: { memoryShared: quiet, instanceMemory: quiet },
    node: { name: 'bench' },
    log: createLogger('warn'),
  });
}

/** Waits until nothing more is found. */
async function merged(sharing: MemorySharing, name: string): Promise<readonly Figure[]> {
  const pageMerging = new KernelPageMerging();
  const spentMs = async (): Promise<number> => (await pageMerging.read())?.processorMs ?? 0;
  const [begun, before] = [performance.now(), await spentMs()];
  do {
    await sharing.round();
    await sleep(ROUND_MS);
  } while (await looks());
  return [
    figure(`${name}: until merged`, (performance.now() - begun) / 1_000, 's'),
    figure(`${name}: of the kernel's processor time`, ((await spentMs()) - before) / 1_000, 's'),
  ];
}

async function looks(): Promise<boolean> {
  return (await readFile('/sys/kernel/mm/ksm/run', 'utf8')).trim() === '1';
}

async function start(
  { template, context, from }: Ready,
  memory: Template['memory'],
  at: number,
): Promise<ContainerSpec> {
  const spec: ContainerSpec = {
    name: containerName(newInstanceId(), template.name),
    // Nobody's instance, which the reconciler leaves alone until then.
    instanceId: undefined,
    keepUntilMs: Date.now() + KEPT_MS,
    template: { ...template, memory },
    hostPort: PORTS + at,
    env: {},
  };
  if (from === undefined || context.checkpointing === undefined) await context.runtime.start(spec, never);
  else await context.checkpointing.restore(spec, from, never);
  const { readiness } = template;
  const path = readiness.kind === 'http' ? readiness.path : '/';
  const url = `http://127.0.0.1:${spec.hostPort}${path}`;
  await context.probe.untilOk({ url, timeoutMs: readiness.timeoutMs }, never);
  return spec;
}

/** One request after the other is begun, whether or not the ones before it are answered. */
async function visit(
  specs: readonly ContainerSpec[],
  template: Template,
): Promise<{ wrong: number; tookMs: number[] }> {
  const agent = new Agent({ connections: 4 });
  const tookMs: number[] = [];
  /** Some ask for a log-in first. */
  const usually = new Map<ContainerSpec, number>();
  let wrong = 0;
  const ask = async (spec: ContainerSpec): Promise<void> => {
    const begun = performance.now();
    try {
      const { statusCode, body } = await request(`http://127.0.0.1:${spec.hostPort}${template.open}`, {
        dispatcher: agent,
      });
      const text = await body.text();
      const usual = usually.get(spec) ?? statusCode;
      usually.set(spec, usual);
      if (statusCode !== usual || statusCode >= 500 || text.length === 0) wrong += 1;
    } catch {
      wrong += 1;
    }
    tookMs.push(performance.now() - begun);
  };
  try {
    // Whatever is made with the first request is not the memory's doing.
    for (const spec of specs) await ask(spec);
    tookMs.length = 0;
    const begun: Promise<void>[] = [];
    for (let at = 0; at < Math.max(LOAD.seconds * LOAD.perSecond, specs.length * PAGES_OF_A_VISIT); at += 1) {
      const spec = specs[at % specs.length];
      if (spec !== undefined) begun.push(ask(spec));
      await sleep(1_000 / LOAD.perSecond);
    }
    await Promise.all(begun);
  } finally {
    await agent.close();
  }
  return { wrong, tookMs };
}

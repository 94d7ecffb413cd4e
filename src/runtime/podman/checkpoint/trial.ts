import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type Dockerode from 'dockerode';
import { extract } from 'tar';
import { TryItNowError, describeError } from '../../../domain/errors.ts';
import type { Log } from '../../../domain/log.ts';
import { DEFAULT_PROCESS } from '../../../domain/process-settings.ts';
import { DEFAULT_READINESS } from '../../../domain/readiness.ts';
import { DEFAULT_DUMP, type Template } from '../../../domain/template.ts';
import { removeUnpacked } from '../../../lifecycle/remove-unpacked.ts';
import { temporaryFolder } from '../../../lifecycle/temporary-folder.ts';
import type { Checkpointing, CheckpointingAvailability } from '../../../pool/interfaces/checkpointing.ts';
import type { ContainerRuntime, ContainerSpec } from '../../../pool/interfaces/container-runtime.ts';
import { engineFailure } from '../../docker/engine-errors.ts';
import { whileImagesChange } from '../../docker/while-images-change.ts';
import { ownFilter } from '../../isolation/seccomp.ts';
import { untilOk } from '../../readiness/http-answers.ts';
import { TRIAL_PORT, TRIAL_REPOSITORY, loadTrialImage } from './trial-image.ts';

export interface TrialDeps {
  readonly checkpointing: Pick<Checkpointing, 'untilIdle' | 'dump' | 'restore'>;
  readonly runtime: ContainerRuntime;
  readonly docker: Dockerode;
  readonly socketPath: string;
  /** The host's address that its containers are published on. */
  readonly publishedAt: string;
  readonly log: Log;
  /** How long it may take before it is given up and what it made is removed. */
  readonly withinMs?: number;
}

/** What is left of a trial after this was left by a killed process. */
const KEEP_MS = 5 * 60_000;
const STEP_TIMEOUT_MS = 15_000;
const TRIAL_TIMEOUT_MS = 6 * STEP_TIMEOUT_MS;
const CLONES = 2;

/**
 * Checkpoints a tiny container and restores two of it, exactly as instances are; takes about
 * 2 s. Leaves nothing behind.
 */
export async function tryCheckpointing(deps: TrialDeps): Promise<CheckpointingAvailability> {
  const begun = performance.now();
  try {
    await trial(deps);
    deps.log.debug(
      { ms: Math.round(performance.now() - begun) },
      'A container was checkpointed and restored for a trial',
    );
    return { available: true };
  } catch (error) {
    const limitMs = deps.withinMs ?? TRIAL_TIMEOUT_MS;
    if (performance.now() - begun >= limitMs)
      return {
        available: false,
        reason: `a trial container was not dumped and restored within ${limitMs / 1_000} s: this host is overloaded`,
      };
    return {
      available: false,
      reason: engineFailure(error, { title: 'Podman', socketPath: deps.socketPath }, 'be tried for checkpoints')
        .message,
    };
  }
}

async function trial(deps: TrialDeps): Promise<void> {
  const { checkpointing, runtime, docker, socketPath, publishedAt, log, withinMs = TRIAL_TIMEOUT_MS } = deps;
  if (process.getuid?.() !== 0)
    throw new TryItNowError(
      'checkpointing_unavailable',
      'CRIU works for root only, and this process is not run by root',
    );
  const keepUntilMs = Date.now() + KEEP_MS;
  const signal = AbortSignal.timeout(withinMs);
  await using made = new Made(log);
  const folder = await temporaryFolder('try-it-now-trial-');
  made.push(folder, () => removeUnpacked(folder));
  await removeImages(docker, (untilMs) => untilMs < Date.now()).catch((error: unknown) => {
    log.warn({ reason: describeError(error) }, 'An image of an earlier trial of checkpoints is still there');
  });
  made.push('the image', () => removeImages(docker, (untilMs) => untilMs === keepUntilMs));
  const template = trialTemplate(await loadTrialImage(socketPath, keepUntilMs));
  await runtime.prepare([template]);
  signal.throwIfAborted();

  const spec = async (): Promise<ContainerSpec> => {
    const name = `demo-trial-${randomBytes(6).toString('hex')}`;
    made.push(name, () => runtime.remove(name));
    return { name, instanceId: undefined, template, hostPort: await anyPort(publishedAt), env: {}, keepUntilMs };
  };
  const source = await spec();
  await runtime.start(source, signal);
  await untilUp(publishedAt, source, signal);
  await checkpointing.untilIdle(source.name, STEP_TIMEOUT_MS, signal);
  const archive = join(folder, 'archive.tar');
  await checkpointing.dump(source.name, archive, DEFAULT_DUMP);
  await runtime.remove(source.name);
  signal.throwIfAborted();

  const unpacked = join(folder, 'unpacked');
  await mkdir(unpacked);
  await extract({ file: archive, cwd: unpacked, preserveOwner: true });
  for (let clone = 0; clone < CLONES; clone += 1) {
    signal.throwIfAborted();
    const restored = await spec();
    await checkpointing.restore(restored, { id: 'of the trial', folder: unpacked, fileLocks: false }, signal);
    await untilUp(publishedAt, restored, signal);
  }
}

function trialTemplate(image: string): Template {
  return {
    name: 'trial',
    title: 'Trial',
    description: '',
    image,
    port: TRIAL_PORT,
    pull: 'never',
    imageCheck: undefined,
    smoke: [],
    env: {},
    process: { ...DEFAULT_PROCESS, init: false },
    open: '/',
    openAllow: [],
    frame: 'off',
    callToAction: undefined,
    lead: undefined,
    readiness: { ...DEFAULT_READINESS, timeoutMs: STEP_TIMEOUT_MS },
    health: undefined,
    replaceSlow: false,
    warmup: [],
    limits: { memoryBytes: 64 * 1024 * 1024, cpus: 1, pids: 32 },
    disk: { bytes: 64 * 1024 * 1024, files: 1_000 },
    unusedCpu: 'end',
    databaseBytes: 2 ** 30,
    capabilities: [],
    seccomp: ownFilter('default'),
    runtime: undefined,
    memory: 'private',
    egress: undefined,
    activation: undefined,
    identity: undefined,
    export: undefined,
    database: undefined,
    services: [],
    checkpoint: { enabled: true, file: undefined, warmup: [], check: undefined, random: undefined, dump: DEFAULT_DUMP },
    pool: { target: 0, max: 0, replenishThreshold: 0 },
    ttl: { defaultMs: 0, maxMs: 0 },
    allowedOrigins: [],
    nodes: [],
    idle: undefined,
    renewOnUse: false,
    maxAgeMs: 0,
  };
}

async function untilUp(host: string, { hostPort, template }: ContainerSpec, signal: AbortSignal): Promise<void> {
  await untilOk({ url: `http://${host}:${hostPort}/`, timeoutMs: template.readiness.timeoutMs }, signal);
}

/** A port outside every template's range: drawn by the kernel, and free a moment ago. */
async function anyPort(host: string): Promise<number> {
  const server = createServer();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, host, () => {
      const address = server.address();
      server.close(() =>
        typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

/** The trial's images say in their tag until when they are kept. Those in use by another process refuse to go. */
async function removeImages(docker: Dockerode, which: (untilMs: number) => boolean): Promise<void> {
  const images = await whileImagesChange(() => docker.listImages({ filters: { reference: [TRIAL_REPOSITORY] } }));
  const names = images
    .flatMap(({ RepoTags }) => RepoTags ?? [])
    .filter((name) => which(Number(/:(\d+)-/.exec(name)?.[1] ?? Infinity)));
  for (const name of names) await docker.getImage(name).remove();
}

/** What the trial made, removed again in reverse order, whatever fails on the way. */
class Made implements AsyncDisposable {
  readonly #releases: { readonly what: string; readonly release: () => Promise<void> }[] = [];
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  push(what: string, release: () => Promise<void>): void {
    this.#releases.unshift({ what, release });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { what, release } of this.#releases) {
      await release().catch((error: unknown) => {
        this.#log.warn({ what, reason: describeError(error) }, 'Something of the trial of checkpoints is still there');
      });
    }
  }
}

import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import Type from 'typebox';
import Value from 'typebox/value';
import type { CheckpointHost } from '../../../domain/checkpoint.ts';
import { TryItNowError, describeError } from '../../../domain/errors.ts';
import { hostTrouble } from '../../../domain/host-trouble.ts';
import type { DumpOptions, Template } from '../../../domain/template.ts';
import { NO_TRACER, type Tracer } from '../../../domain/tracer.ts';
import { sleep } from '../../../lifecycle/sleep.ts';
import type {
  Checkpointing,
  CheckpointingAvailability,
  OpenCheckpoint,
  OwnGenerators,
} from '../../../pool/interfaces/checkpointing.ts';
import type { ContainerSpec } from '../../../pool/interfaces/container-runtime.ts';
import { instanceSysctls } from '../../docker/container-options.ts';
import type { EngineOptions } from '../../docker/engine-options.ts';
import { connectEngine, hasIpv6, type EngineRuntime } from '../../docker/engine-runtime.ts';
import { whyPortTaken, type HostPort } from '../../docker/host-port.ts';
import { networkFor, networkPlan } from '../../isolation/network-plan.ts';
import { LOOPBACK } from '../../isolation/publishing.ts';
import { PODMAN } from '../descriptor.ts';
import { libpod, libpodDownload, libpodHas, libpodUpload } from '../libpod-api.ts';
import { createPodmanRuntime } from '../podman-runtime.ts';
import { RuntimeServices } from '../runtime-services.ts';
import { cloneImages, type CloneImages } from './clone-images.ts';
import { setSysctls } from './clone-sysctls.ts';
import { CRIU_CONFIG, dumpConfig, setCriuConfig, writeCriuConfig } from './criu-config.ts';
import { criuFailure } from './criu-failure.ts';
import { freshRandom, whyNotFresh } from './fresh-random/fresh-random.ts';
import { HostFacts } from './host-facts.ts';
import { ownGenerators } from './language-runtimes.ts';
import { whyPortStays } from './leaked-port.ts';
import { obstacles } from './obstacles.ts';
import { openConnections } from './open-connections.ts';
import { restoreArchive } from './restore-archive.ts';
import { keepKernelFacts } from './kernel-facts.ts';
import { RESTORE_TIMEOUT_MS, killRestore } from './stuck-restore.ts';
import { tryCheckpointing } from './trial.ts';
import { trimMemory } from './trim-memory.ts';

const IDLE_POLL_MS = 50;
/** Longer, so that what the watchdog ends is answered. */
const ANSWER_TIMEOUT_MS = 60_000;
const DUMP_TIMEOUT_MS = 600_000;
const TRY_AGAIN_MS = 10 * 60_000;

/** The process id stays there after the end, when it may be another's. */
const Running = Type.Object({
  Id: Type.String(),
  State: Type.Object({ Pid: Type.Integer(), Running: Type.Literal(true) }),
  Config: Type.Object({
    Annotations: Type.Optional(Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()])),
  }),
});
/** Microseconds, as Podman and CRIU give them. */
const Restored = Type.Object({
  runtime_restore_duration: Type.Integer(),
  criu_statistics: Type.Object({ restore_time: Type.Integer() }),
});

/**
 * Checkpoints of Podman's containers on this host. The process must see the same files and processes as Podman's
 * service, as root.
 */
export function createPodmanCheckpointing(options: EngineOptions): Checkpointing {
  return new PodmanCheckpointing(options);
}

class PodmanCheckpointing implements Checkpointing {
  readonly #options: EngineOptions;
  readonly #runtime: EngineRuntime;
  readonly #services: RuntimeServices;
  readonly #facts: HostFacts;
  readonly #publishedAt: string;
  readonly #tracer: Tracer;
  #trial: Promise<CheckpointingAvailability> | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#services = new RuntimeServices(options);
    this.#runtime = createPodmanRuntime(options, this.#services);
    this.#facts = new HostFacts(options);
    this.#publishedAt = (options.publishing ?? LOOPBACK).address;
    this.#tracer = options.tracer ?? NO_TRACER;
  }

  availability(withinMs?: number): Promise<CheckpointingAvailability> {
    this.#trial ??= this.#try(withinMs).then((availability) => {
      // A host may be fixed, or was only too busy: asked again after a while, it is tried again.
      if (!availability.available)
        setTimeout(() => {
          this.#trial = undefined;
        }, TRY_AGAIN_MS).unref();
      return availability;
    });
    return this.#trial;
  }

  host(template: Template): Promise<CheckpointHost> {
    return this.#facts.of(template);
  }

  async untilIdle(name: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
    const { pid } = await this.#running(name, 'checkpoint_failed');
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      signal.throwIfAborted();
      const open = await openConnections(pid).catch((error: unknown) => {
        throw new TryItNowError(
          'checkpoint_failed',
          `${name} ended before it could be checkpointed: ${describeError(error)}`,
          { cause: error },
        );
      });
      if (open.length === 0) return;
      const left = deadline - performance.now();
      if (left <= 0) {
        throw new TryItNowError(
          'checkpoint_failed',
          `${name} still has ${open.length} TCP connection(s) open after ${timeoutMs} ms, and an open one cannot ` +
            `be dumped: ${open.slice(0, 5).join('; ')}. Have the app close it, or set checkpoint.tcp_close to ` +
            'true, and clones find it closed',
        );
      }
      await sleep(Math.min(IDLE_POLL_MS, left), signal);
    }
  }

  async examine(name: string, options: DumpOptions): Promise<void> {
    const { pid } = await this.#running(name, 'checkpoint_failed');
    const found = await obstacles(pid, options);
    if (found.length === 0) return;
    const message = `${name} cannot be checkpointed as it runs: ${found.join('; ')}`;
    throw new TryItNowError('checkpoint_refused', message, { details: { obstacles: found } });
  }

  async ownGenerators(name: string): Promise<readonly OwnGenerators[]> {
    return ownGenerators((await this.#running(name, 'checkpoint_failed')).pid);
  }

  whyNotFresh(): Promise<string | undefined> {
    return whyNotFresh();
  }

  async dump(name: string, archive: string, options: DumpOptions): Promise<void> {
    const { socketPath, log } = this.#options;
    const { id, pid, annotations } = await this.#running(name, 'checkpoint_failed');
    // CRIU would do as root what a file says that a stranger's image names.
    if (Object.hasOwn(annotations, CRIU_CONFIG))
      throw new TryItNowError(
        'checkpoint_refused',
        `The image of ${name} has the annotation ${CRIU_CONFIG}, which would have CRIU obey a file of its choice on ` +
          'the host: build the image without it',
      );
    await trimMemory(pid).catch((error: unknown) =>
      log.info({ container: name, reason: describeError(error) }, 'It is dumped with memory that it may not need'),
    );
    const config = `${archive}.criu`;
    const wanted = dumpConfig(options);
    try {
      if (wanted.length > 0) {
        await writeCriuConfig(config, wanted);
        await setCriuConfig(id, config);
      }
      await libpodDownload(
        socketPath,
        `/containers/${encodeURIComponent(name)}/checkpoint?export=true&fileLocks=${options.fileLocks}`,
        archive,
        DUMP_TIMEOUT_MS,
      );
    } catch (error) {
      throw await criuFailure(socketPath, name, 'checkpoint_failed', `checkpoint ${name}`, error);
    } finally {
      await rm(config, { force: true });
    }
  }

  async restore(spec: ContainerSpec, from: OpenCheckpoint, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const tracer = this.#tracer;
    await tracer.span('make room', () => this.#makeRoom(spec));
    try {
      await using images = await tracer.span('clone images', () =>
        ofCheckpoint(from, () => cloneImages(resolve(from.folder), spec.name)),
      );
      const archive = await tracer.span('archive', () => ofCheckpoint(from, () => this.#archive(spec, from, images)));
      // A request to the engine cannot be taken back, so the signal is heeded between requests and
      // what was made is unmade.
      signal.throwIfAborted();
      await tracer.span('podman restore', () => this.#import(spec, from, archive));
      await Promise.all([
        tracer.span('settle', () => this.#settle(spec)),
        tracer.span('secure', () => this.#runtime.secure(spec)),
      ]);
      signal.throwIfAborted();
    } catch (error) {
      const failure = await this.#undo(spec, from, error);
      signal.throwIfAborted();
      throw failure;
    }
  }

  close(): Promise<void> {
    return this.#runtime.close();
  }

  async #try(withinMs: number | undefined): Promise<CheckpointingAvailability> {
    const { socketPath, log } = this.#options;
    // Without them restores are slower.
    await keepKernelFacts().catch((error: unknown) =>
      log.debug({ reason: describeError(error) }, 'CRIU will try out the kernel at each of its starts'),
    );
    return tryCheckpointing({
      checkpointing: this,
      runtime: this.#runtime,
      docker: connectEngine(socketPath),
      socketPath,
      publishedAt: this.#publishedAt,
      log,
      ...(withinMs === undefined ? {} : { withinMs }),
    });
  }

  /** Removes what a failed restore made. CRIU's log goes with the container, so it is read first. */
  async #undo({ name, hostPort }: ContainerSpec, { id }: OpenCheckpoint, error: unknown): Promise<TryItNowError> {
    const { socketPath, log } = this.#options;
    const failure = await criuFailure(
      socketPath,
      name,
      'restore_failed',
      `restore ${name} from checkpoint ${id}`,
      error,
    );
    try {
      await this.#runtime.remove(name);
      const why = await whyPortStays(socketPath, this.#published(hostPort));
      if (why !== undefined)
        log.warn({ container: name, hostPort, reason: why }, 'The port of a failed restore is still taken');
    } catch (problem) {
      log.warn(
        { container: name, reason: describeError(problem) },
        'A container that failed to be restored is still there',
      );
    }
    return failure;
  }

  #published(port: number): HostPort {
    return { address: this.#publishedAt, port };
  }

  async #archive(spec: ContainerSpec, { folder }: OpenCheckpoint, images: CloneImages): Promise<Buffer> {
    const { deployment, node, databaseFolders } = this.#options;
    const network = networkFor(networkPlan(PODMAN.name, deployment), spec.template);
    const resolvers = await this.#runtime.nameServersOf(spec.template);
    return restoreArchive(resolve(folder), images, spec, { deployment, node, network, resolvers, databaseFolders });
  }

  /**
   * Podman finds out late that a port is taken, and on its way back removes the forwarding of
   * the container that has it.
   */
  async #makeRoom({ name, hostPort }: ContainerSpec): Promise<void> {
    const { socketPath, patience } = this.#options;
    try {
      if (await libpodHas(socketPath, `/containers/${encodeURIComponent(name)}`, patience))
        await this.#runtime.remove(name);
    } catch (error) {
      throw await criuFailure(socketPath, name, 'restore_failed', `make room for ${name}`, error);
    }
    const why = await whyPortTaken(this.#published(hostPort));
    if (why !== undefined)
      throw new TryItNowError('host_failed', `Podman cannot restore ${name}: its port is taken: ${why}`, {
        details: { hostPort },
      });
  }

  async #import(
    { name, hostPort, template }: ContainerSpec,
    { id, fileLocks }: OpenCheckpoint,
    archive: Buffer,
  ): Promise<void> {
    const query = new URLSearchParams({
      import: 'true',
      name,
      publishPorts: `${this.#publishedAt}:${hostPort}:${template.port}`,
      ignoreStaticIP: 'true',
      ignoreStaticMAC: 'true',
      fileLocks: String(fileLocks),
      printStats: 'true',
    });
    const begun = performance.now();
    const socketPath = await this.#services.startsAt(template);
    const answer = await this.#watched(name, () =>
      libpodUpload(
        socketPath,
        `/containers/${encodeURIComponent(name)}/restore?${query.toString()}`,
        archive,
        ANSWER_TIMEOUT_MS,
      ),
    );
    if (!Value.Check(Restored, answer)) return;
    const {
      runtime_restore_duration: runtime,
      criu_statistics: { restore_time: criu },
    } = answer;
    this.#tracer.note(() => ({ 'try_it_now.runtime_ms': runtime / 1000, 'try_it_now.criu_ms': criu / 1000 }));
    this.#options.log.debug(
      {
        container: name,
        checkpoint: id,
        importMs: Math.round(performance.now() - begun),
        runtimeMs: Math.round(runtime / 1000),
        criuMs: Math.round(criu / 1000),
      },
      'Restored',
    );
  }

  /** Before anybody is told that it runs. Until then the rules on the host keep it in, as they do anyway. */
  async #settle({ name, template }: ContainerSpec): Promise<void> {
    const { pid } = await this.#running(name, 'restore_failed');
    const failed = (what: string) => (error: unknown) => {
      const code = hostTrouble(error) === undefined ? 'restore_failed' : 'host_failed';
      throw new TryItNowError(code, `${what}: ${describeError(error)}`, { cause: error });
    };
    await Promise.all([
      setSysctls(pid, instanceSysctls(template, hasIpv6())).catch(
        failed(`The network of ${name} could not be set up as a cold start's`),
      ),
      freshRandom(pid).catch(
        failed(`${name} would draw the same random numbers as all other clones, and could not be given others`),
      ),
    ]);
  }

  async #watched<T>(name: string, restore: () => Promise<T>): Promise<T> {
    const { log } = this.#options;
    const watch = { hung: false };
    const watchdog = setTimeout(() => {
      watch.hung = true;
      killRestore(name).then(
        (processes) => log.warn({ container: name, processes }, 'A restore hung and was killed'),
        (error: unknown) =>
          log.error({ container: name, reason: describeError(error) }, 'A restore that hangs cannot be killed'),
      );
    }, RESTORE_TIMEOUT_MS);
    try {
      return await restore();
    } catch (error) {
      if (watch.hung)
        throw new TryItNowError(
          'restore_failed',
          `Podman could not restore ${name}: CRIU did not end within ${RESTORE_TIMEOUT_MS} ms and was killed`,
          { cause: error },
        );
      throw error;
    } finally {
      clearTimeout(watchdog);
    }
  }

  async #running(
    name: string,
    code: 'checkpoint_failed' | 'restore_failed',
  ): Promise<{ readonly id: string; readonly pid: number; readonly annotations: Readonly<Record<string, string>> }> {
    const { socketPath, patience } = this.#options;
    let found: unknown;
    try {
      found = await libpod(socketPath, 'GET', `/containers/${encodeURIComponent(name)}/json`, undefined, patience);
    } catch (error) {
      throw await criuFailure(socketPath, name, code, `look into ${name}`, error);
    }
    if (!Value.Check(Running, found)) throw new TryItNowError(code, `${name} does not run`);
    return { id: found.Id, pid: found.State.Pid, annotations: found.Config.Annotations ?? {} };
  }
}

async function ofCheckpoint<T>({ id, folder }: OpenCheckpoint, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof TryItNowError) throw error;
    const trouble = hostTrouble(error);
    if (trouble !== undefined)
      throw new TryItNowError(
        'host_failed',
        `The checkpoint ${id} cannot be restored from ${folder}: ${trouble} (${describeError(error)})`,
        { cause: error },
      );
    throw new TryItNowError(
      'restore_failed',
      `The checkpoint ${id} cannot be restored: what is unpacked of it in ${folder} is not complete: ` +
        describeError(error),
      { cause: error },
    );
  }
}

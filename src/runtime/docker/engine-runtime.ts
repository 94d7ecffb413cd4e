import { existsSync } from 'node:fs';
import { Agent } from 'node:http';
import Dockerode from 'dockerode';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import { registryOf } from '../../domain/image-name.ts';
import { digestUnder, type FoundImage } from '../../domain/image-pin.ts';
import { containerTemplates, type Template } from '../../domain/template.ts';
import { NO_TRACER, type Tracer } from '../../domain/tracer.ts';
import { withDeadline } from '../../lifecycle/deadline.ts';
import type {
  CommandOutput,
  ContainerCondition,
  ContainerInside,
  ContainerRuntime,
  ContainerSpec,
  ContainerSummary,
  ExecResult,
} from '../../pool/interfaces/container-runtime.ts';
import { ENGINE_PATIENCE, type EnginePatience } from '../engine-patience.ts';
import { notIsolated } from '../isolation/bridges.ts';
import { LABEL } from '../labels.ts';
import { commandOutput } from './command-output.ts';
import { containerInside } from './container-inside.ts';
import { containerLogs } from './container-logs.ts';
import { containerOptions, containerUlimits } from './container-options.ts';
import { containerSummary, groupByApp } from './container-summary.ts';
import type { Dialect } from './dialect.ts';
import { closeEngineFiles, engineFiles } from './engine-files.ts';
import { engineFailure, statusOf } from './engine-errors.ts';
import type { EngineOptions } from './engine-options.ts';
import { LOOPBACK } from '../isolation/publishing.ts';
import { whyPortTaken } from './host-port.ts';
import { EngineImages } from './images.ts';
import { InstanceNetworks } from './instance-networks.ts';
import { killedForMemory } from './kernel-log.ts';
import { filesArchive, needsImageProcess, type ImageProcess } from './process-options.ts';
import { appPlace, podServices, type PodContainer, type PodPlace } from './pod.ts';
import { removeContainer } from './remove-container.ts';
import { runInContainer } from './run-in-container.ts';
import { untilServiceReady, type ServiceProbe } from './service-readiness.ts';
import { watchContainers } from './watch-containers.ts';

/**
 * Starts beyond this only wait for each other inside the engine; measured on two cores, 3 to 20
 * at once take equally long.
 */
const MAX_CONNECTIONS = 8;
const SIGKILL_EXIT = 128 + 9;
const FAILED_SERVICE_LINES = 10;

/** DOCKER_HOST, which the library would follow, is not asked: the socket is configured. */
export function connectEngine(
  socketPath: string,
  maxSockets = MAX_CONNECTIONS,
  timeoutMs = ENGINE_PATIENCE.callMs,
): Dockerode {
  // With the timeout, what counts as hung makes room for others.
  const options = { host: '', socketPath, timeout: timeoutMs, agent: new Agent({ keepAlive: false, maxSockets }) };
  return new Dockerode(options);
}

/** Whether the kernel has it at all; settings of it fail otherwise. */
export function hasIpv6(): boolean {
  return existsSync('/proc/sys/net/ipv6');
}

class NoAnswer extends Error {}

/** Instances as containers of an engine that speaks Docker's API. */
export class EngineRuntime implements ContainerRuntime {
  readonly engine: string;
  readonly #docker: Dockerode;
  /** For what holds its connection for as long as it lasts: commands, and the stream of events. */
  readonly #unlimited: Dockerode;
  readonly #dialect: Dialect;
  readonly #options: EngineOptions;
  readonly #networks: InstanceNetworks;
  readonly #title: { readonly title: string; readonly socketPath: string };
  readonly #patience: EnginePatience;
  readonly #images: EngineImages;
  readonly #ulimits = containerUlimits();
  readonly #ipv6 = hasIpv6();
  readonly #publishedAt: string;
  readonly #tracer: Tracer;

  constructor(docker: Dockerode, dialect: Dialect, options: EngineOptions) {
    this.engine = dialect.engine.name;
    this.#docker = docker;
    this.#unlimited = connectEngine(options.socketPath, Infinity, 0);
    this.#dialect = dialect;
    this.#options = options;
    this.#publishedAt = (options.publishing ?? LOOPBACK).address;
    this.#tracer = options.tracer ?? NO_TRACER;
    this.#networks = new InstanceNetworks({
      docker,
      dialect,
      options,
      look: (what, operation) => this.#look(what, operation),
      call: (what, operation) => this.#call(what, operation),
    });
    this.#title = { title: dialect.engine.title, socketPath: options.socketPath };
    this.#patience = options.patience ?? ENGINE_PATIENCE;
    let architecture: Promise<string> | undefined;
    this.#images = new EngineImages({
      engine: dialect.engine,
      inspect: (image) => this.#inspectImage(image),
      architecture: () => (architecture ??= this.#look('say what it is', async () => (await docker.version()).Arch)),
      docker: this.#unlimited,
      credentialsFile: options.registryAuthFile,
      pinned: options.pinnedImages ?? new Map(),
      node: options.node,
      decides: options.decidesImages ?? true,
      pulls: options.pulls,
      hasRoom: options.hasRoom ?? (() => true),
      onFetched: options.onFetched,
      onMissing: options.onImageMissing,
      log: options.log,
    });
  }

  async prepare(templates: readonly Template[]): Promise<void> {
    await this.#look('answer', () => this.#docker.ping());
    await this.#networks.prepare(templates);
    // Last, so that the other templates can do without one that lacks its image.
    await this.#images.look(templates.flatMap(containerTemplates));
  }

  async start(spec: ContainerSpec, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    // A request to the engine cannot be taken back, so the signal is heeded between requests and
    // what was made is unmade.
    const place = appPlace(spec);
    try {
      if (place !== undefined) {
        await this.remove(spec.name);
        await this.#requirePort(spec);
        for (const service of podServices(spec)) await this.#startService(service, signal);
      }
      await this.#create(spec, place);
      signal.throwIfAborted();
      await this.#putFiles(spec);
      // The first service has it otherwise.
      if (place === undefined) await this.#requirePort(spec);
      await this.#startContainer(spec);
      await this.secure(spec);
      signal.throwIfAborted();
    } catch (error) {
      await this.remove(spec.name).catch((failure: unknown) => {
        this.#options.log.warn(
          { container: spec.name, reason: describeError(failure) },
          'A container that failed to start is still there',
        );
      });
      throw error;
    }
  }

  /** For a container that was started just now, in whichever way. Throws isolation_failed; the caller removes it. */
  async secure(spec: Pick<ContainerSpec, 'name' | 'template'>): Promise<void> {
    const found = await this.#found(spec.name);
    await Promise.all([this.#requireIsolated(spec, found), this.#closeFiles(spec.name, found)]);
  }

  /** What cannot be closed, such as on another host, is found out by whoever looks after the disk. */
  async #closeFiles(name: string, found: Dockerode.ContainerInspectInfo | undefined): Promise<void> {
    if (found === undefined) return;
    await closeEngineFiles(engineFiles(found)).catch((error: unknown) =>
      this.#options.log.debug({ container: name, reason: describeError(error) }, 'Its /etc/hosts can be written'),
    );
  }

  async #requireIsolated(
    { name, template }: Pick<ContainerSpec, 'name' | 'template'>,
    found: Dockerode.ContainerInspectInfo | undefined,
  ): Promise<void> {
    if (
      await this.#networks.settle(
        template,
        found?.State.Running === true ? found.NetworkSettings.SandboxKey : undefined,
      )
    )
      return;
    // Podman's bridge goes with the last container, and this one may have ended by itself already.
    if ((await this.#found(name))?.State.Running === true)
      throw notIsolated(this.#title.title, this.#networks.of(template).bridge);
  }

  async foundImages(names: readonly string[]): Promise<readonly FoundImage[]> {
    const found: FoundImage[] = [];
    for (const name of names) {
      const image = await this.#inspectImage(name);
      if (image === undefined) continue;
      const digest = registryOf(name) === undefined ? undefined : digestUnder(name, image.RepoDigests);
      found.push({ name, id: image.Id, digest });
    }
    return found;
  }

  async fetchImage(name: string, onProgress: (soFar: string) => void, signal?: AbortSignal): Promise<void> {
    await this.#images.fetchAnew(name, onProgress, signal);
  }

  fetching(template: Template): string | undefined {
    return containerTemplates(template)
      .map(({ image }) => this.#images.fetching(image))
      .find((progress) => progress !== undefined);
  }

  imageVersion(template: Template): string | undefined {
    return this.#images.commonVersion(containerTemplates(template).map(({ image }) => image));
  }

  /** All at once: the one that holds the network namespace is refused until those that joined it are gone. */
  async remove(name: string): Promise<void> {
    const services = await this.#labelled({ [LABEL.partOf]: name });
    await Promise.all([name, ...services.map(({ Id }) => Id)].map((each) => this.#removeOne(each)));
  }

  async exec(name: string, call: Parameters<ContainerRuntime['exec']>[1], signal: AbortSignal): Promise<ExecResult> {
    try {
      return await runInContainer(this.#unlimited.getContainer(name), name, call, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw engineFailure(error, this.#title, `run a command in ${name}`);
    }
  }

  async output(name: string, command: readonly string[], signal: AbortSignal): Promise<CommandOutput> {
    const failure = (error: unknown): Error => {
      signal.throwIfAborted();
      return engineFailure(error, this.#title, `run a command in ${name}`);
    };
    try {
      const { stdout, result } = await commandOutput(this.#unlimited.getContainer(name), command, signal);
      return { stdout, result: () => result().catch((error: unknown) => Promise.reject(failure(error))) };
    } catch (error) {
      throw failure(error);
    }
  }

  async inspect(name: string): Promise<ContainerCondition | undefined> {
    const found = await this.#found(name);
    if (found === undefined) return undefined;
    const { Running: running, Paused: paused, ExitCode: exitCode, OOMKilled: told, Status: status } = found.State;
    // Made, and about to be started, or not started at all: it has not ended.
    if (running || paused || status === 'created' || status === 'configured' || status === 'initialized')
      return { running: true };
    const oomKilled = told || (exitCode === SIGKILL_EXIT && (await killedForMemory(found.Id)));
    return { running: false, exitCode, oomKilled };
  }

  async inside(name: string): Promise<ContainerInside | undefined> {
    const state = (await this.#found(name))?.State;
    return state?.Running === true && state.Pid > 0 ? containerInside(state.Pid) : undefined;
  }

  async logs(name: string, tail: number): Promise<string> {
    return this.#look(`show the output of ${name}`, () => containerLogs(this.#docker.getContainer(name), tail));
  }

  async list(): Promise<ContainerSummary[]> {
    const { deployment, node } = this.#options;
    const found = await this.#labelled({ [LABEL.deployment]: deployment, [LABEL.node]: node });
    const each = found.map(({ Names, Labels, State }) =>
      containerSummary((Names[0] ?? '').replace(/^\//, ''), Labels, State === 'running' || State === 'paused'),
    );
    return groupByApp(each);
  }

  async watch(gone: (container: ContainerSummary) => void, signal: AbortSignal): Promise<void> {
    try {
      await watchContainers(this.#unlimited, this.#options, gone, signal);
    } catch (error) {
      throw engineFailure(error, this.#title, 'tell which containers end');
    }
  }

  /** Looks for containers of every node: two nodes of a deployment on one host share its networks. */
  async unprepare(): Promise<boolean> {
    if ((await this.#labelled({ [LABEL.deployment]: this.#options.deployment })).length > 0) return false;
    await this.#networks.remove();
    return true;
  }

  async close(): Promise<void> {
    await this.#dialect.close();
    await this.#networks.close();
  }

  /** What is to answer the names that its instances look up. */
  async nameServersOf(template: Template): Promise<readonly string[]> {
    return this.#networks.nameServersOf(template);
  }

  async #labelled(labels: Readonly<Record<string, string>>): Promise<Dockerode.ContainerInfo[]> {
    const label = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
    return this.#look('list containers', () => this.#docker.listContainers({ all: true, filters: { label } }));
  }

  async #create(spec: ContainerSpec, place: PodPlace | undefined): Promise<void> {
    const { deployment, node } = this.#options;
    const image = await this.#images.need(spec.template);
    await using seccomp = await this.#dialect.seccomp(spec.template.seccomp.profile);
    const options = containerOptions(spec, {
      image,
      deployment,
      node,
      network: this.#networks.of(spec.template),
      publishedAt: this.#publishedAt,
      resolvers: await this.nameServersOf(spec.template),
      dnsOptions: this.#dialect.dnsOptions,
      databaseFolders: this.#options.databaseFolders,
      logConfig: this.#dialect.logConfig,
      ulimits: this.#ulimits,
      ipv6: this.#ipv6,
      hasInit: this.#dialect.hasInit(),
      place,
      imageProcess: needsImageProcess(spec.template.process) ? await this.#imageProcess(image) : undefined,
      mounts: this.#dialect.mounts(this.#networks.of(spec.template)),
      tmpfsOptions: this.#dialect.tmpfsOptions,
      seccomp: seccomp.option,
    });
    const { runtime } = spec.template;
    const by = runtime === undefined ? '' : ` with the OCI runtime ${runtime} (doctor says whether it is there)`;
    const what = `create ${spec.name} from ${spec.template.image}${by}`;
    const create = (): Promise<unknown> => this.#timed(this.#dialect.createContainer(options, runtime));
    try {
      await create();
    } catch (error) {
      if (statusOf(error) === 404 && (await this.#inspectImage(image)) === undefined) {
        this.#images.forget(spec.template.image);
        await this.#create(spec, place);
        return;
      }
      // Docker answers a taken name with 409, Podman with 500 like any other failure; so look.
      const taken = statusOf(error) !== undefined && (await this.#exists(spec.name));
      if (!taken) throw engineFailure(error, this.#title, what);
      await this.#removeOne(spec.name);
      await this.#call(what, create);
    }
  }

  async #removeOne(name: string): Promise<void> {
    await removeContainer(this.#docker.getContainer(name), name, (what, operation) => this.#call(what, operation));
  }

  /** Resolves when it is ready. */
  async #startService({ spec, place, service }: PodContainer, signal: AbortSignal): Promise<void> {
    const container = this.#docker.getContainer(spec.name);
    await this.#create(spec, place);
    signal.throwIfAborted();
    await this.#putFiles(spec);
    await this.#startContainer(spec);
    await this.secure(spec);
    const probe: ServiceProbe = {
      state: async () => {
        const { State } = await this.#look(`look at ${spec.name}`, () => container.inspect());
        return { running: State.Running, pid: State.Pid, exitCode: State.ExitCode };
      },
      exec: (command, timeoutMs) => this.exec(spec.name, { command, env: {}, timeoutMs }, signal),
      output: () => this.logs(spec.name, FAILED_SERVICE_LINES),
    };
    await untilServiceReady({ ...service, container: spec.name }, probe, signal);
  }

  async #startContainer({ name, template }: ContainerSpec): Promise<void> {
    await this.#call(`start ${name}`, async () => {
      await (await this.#dialect.starts(template)).getContainer(name).start();
    });
  }

  async #putFiles(spec: ContainerSpec): Promise<void> {
    const archive = filesArchive(spec);
    if (archive === undefined) return;
    await this.#call(`put files into ${spec.name}`, () =>
      this.#docker.getContainer(spec.name).putArchive(archive, { path: '/' }),
    );
  }

  /** Undefined where it is gone, which the creation says. */
  async #imageProcess(image: string): Promise<ImageProcess | undefined> {
    const found = await this.#inspectImage(image);
    if (found === undefined) return undefined;
    const { Entrypoint, Cmd } = found.Config as Partial<typeof found.Config>;
    return { entrypoint: [Entrypoint ?? []].flat(), command: Cmd ?? [] };
  }

  /**
   * Podman finds out late that a port is taken, and on its way back removes the forwarding of
   * the container that has it.
   */
  async #requirePort({ name, hostPort }: ContainerSpec): Promise<void> {
    const why = await whyPortTaken({ address: this.#publishedAt, port: hostPort });
    if (why !== undefined)
      throw new TryItNowError(
        'container_failed',
        `${this.#dialect.engine.title} cannot start ${name}: its port is taken: ${why}`,
        { details: { hostPort } },
      );
  }

  async #exists(name: string): Promise<boolean> {
    return (await this.#found(name)) !== undefined;
  }

  async #found(name: string): Promise<Dockerode.ContainerInspectInfo | undefined> {
    return this.#look(`look for ${name}`, async () => {
      try {
        return await this.#docker.getContainer(name).inspect();
      } catch (error) {
        if (statusOf(error) === 404) return undefined;
        throw error;
      }
    });
  }

  /** Undefined where the engine does not have it. */
  async #inspectImage(image: string): Promise<Dockerode.ImageInspectInfo | undefined> {
    try {
      return await this.#timed(this.#docker.getImage(image).inspect(), this.#patience.lookMs);
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw engineFailure(error, this.#title, `look for the image ${image}`);
    }
  }

  /** For what changes nothing: asked again where something had hung in the engine and was ended. */
  async #look<T>(what: string, operation: () => Promise<T>): Promise<T> {
    const { lookMs } = this.#patience;
    try {
      return await this.#call(what, operation, lookMs);
    } catch (error) {
      if (!(error instanceof Error && error.cause instanceof NoAnswer)) throw error;
      const containers = await this.#dialect.endHung();
      if (containers.length === 0) throw error;
      this.#options.log.warn({ containers }, 'What had hung and kept the engine from answering was killed');
      return this.#call(what, operation, lookMs);
    }
  }

  async #call<T>(what: string, operation: () => Promise<T>, timeoutMs = this.#patience.callMs): Promise<T> {
    try {
      const [verb] = what.split(' ', 1);
      return await this.#tracer.span(`${this.engine} ${verb}`, () => this.#timed(operation(), timeoutMs));
    } catch (error) {
      throw engineFailure(error, this.#title, what);
    }
  }

  /** The client library never settles when an answer is cut off half way. */
  async #timed<T>(operation: Promise<T>, timeoutMs = this.#patience.callMs): Promise<T> {
    return withDeadline(timeoutMs, operation, () => {
      throw new NoAnswer(`no answer within ${timeoutMs} ms`);
    });
  }
}

import { readFile, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type Dockerode from 'dockerode';
import type { Consumption, DiskSeen, DiskUse, StorageRoom } from '../../pool/interfaces/consumption.ts';
import type { ContainerEngine } from '../engine.ts';
import { hasVisitor, isInUse, isSandbox } from './container-inside.ts';
import {
  boundSwap,
  controlGroup,
  cpuLimitOf,
  cpuOf,
  cpuShareOf,
  killAll,
  lift,
  limitCpu,
  ofContainer,
  processesOf,
  refusedProcessesOf,
  swapOut,
  thaw,
  weighCpu,
} from './control-groups.ts';
import { diskUseOf } from './disk-use.ts';
import { engineFiles } from './engine-files.ts';
import { engineFailure, statusOf } from './engine-errors.ts';
import type { EngineOptions } from './engine-options.ts';
import { connectEngine } from './engine-runtime.ts';
import { hostMemory, hostSwap } from './host-memory.ts';
import { outputReader, processCpu } from './output-reader.ts';
import { unixConnections } from './unix-connections.ts';
import { upperFolder } from './upper-folder.ts';

/** Where a running container's processes are counted, and where what it writes lies. */
interface Place {
  /** Its first process, and who reads what that writes. */
  readonly pid: number;
  readonly reader: number | undefined;
  /** Its port of the host, where the kernel cannot see into it. */
  readonly sandboxPort: number | undefined;
  /** Its control groups. */
  readonly cpu: string;
  readonly quota: string;
  readonly processes: string;
  readonly processLimit: string;
  /** Undefined: it is not known what it holds. */
  readonly memory: string | undefined;
  /** Where they are frozen, or killed together. */
  readonly freezer: string;
  readonly folders: readonly string[];
  readonly engineFiles: readonly string[];
  /** The file systems that it writes to, as its processes see them. */
  readonly devices: ReadonlySet<number>;
}

/** More containers than a host runs. */
const PLACES_KEPT = 20_000;

/** The engine is asked once for a container; everything else is read from the kernel. */
export class HostConsumption implements Consumption {
  readonly #docker: Dockerode;
  readonly #title: { readonly title: string; readonly socketPath: string };
  readonly #places = new Map<string, Place>();
  readonly #log: EngineOptions['log'];
  #storage: string | undefined;
  /** Where what containers write was last found to lie, all of them together. */
  #layers: string | undefined;
  #saidUnseen = false;

  constructor(
    { title }: Pick<ContainerEngine, 'title'>,
    { socketPath, log }: Pick<EngineOptions, 'socketPath' | 'log'>,
  ) {
    this.#docker = connectEngine(socketPath);
    this.#log = log;
    this.#title = { title, socketPath };
  }

  readonly memory = hostMemory;
  readonly swap = hostSwap;

  async storage(): Promise<StorageRoom | undefined> {
    this.#storage ??= await this.#ask('say where its containers lie', async () => {
      const info = (await this.#docker.info()) as { readonly DockerRootDir?: string };
      return info.DockerRootDir;
    });
    if (this.#storage === undefined) return undefined;
    const path = (await ifElsewhere(this.#layers, this.#storage)) ?? this.#storage;
    const found = await statfs(path).catch(() => undefined);
    if (found === undefined) return undefined;
    const { bsize, blocks, bavail, files, ffree } = found;
    return {
      path,
      total: { bytes: blocks * bsize, files },
      // Some file systems make inodes as they need them, and say that there are none.
      free: { bytes: bavail * bsize, files: files === 0 ? Infinity : ffree },
    };
  }

  async locate(container: string): Promise<void> {
    await this.#placeOf(container);
  }

  forget(): void {
    this.#places.clear();
  }

  async kill(container: string): Promise<void> {
    const place = await this.#placeOf(container);
    if (place === undefined) return;
    await lift(place.quota).catch(() => undefined);
    await killAll(place.freezer, place.processes);
  }

  async memoryOf(container: string): Promise<number | undefined> {
    const place = await this.#placeOf(container);
    if (place === undefined) return undefined;
    const sizes = await Promise.all((await processesOf(place.processes)).map(proportionalBytes));
    const known = sizes.filter((bytes) => bytes !== undefined);
    return known.length === 0 ? undefined : known.reduce((all, bytes) => all + bytes, 0);
  }

  async swapOut(container: string): Promise<void> {
    const group = (await this.#placeOf(container))?.memory;
    if (group !== undefined) await swapOut(group);
  }

  async cpuMs(container: string): Promise<number | undefined> {
    const place = await this.#placeOf(container);
    if (place === undefined) return undefined;
    const used = cpuOf(place.cpu);
    // It has ended; another one may get its name.
    if (used === undefined) this.#places.delete(container);
    return used;
  }

  async outputMs(container: string): Promise<number | undefined> {
    const reader = (await this.#placeOf(container))?.reader;
    return reader === undefined ? undefined : processCpu(reader);
  }

  async cpuLimit(container: string): Promise<number | undefined> {
    const place = await this.#placeOf(container);
    return place === undefined ? undefined : cpuLimitOf(place.quota);
  }

  async limitCpu(container: string, cpus: number): Promise<void> {
    const place = await this.#placeOf(container);
    if (place !== undefined) await limitCpu(place.quota, cpus);
  }

  async cpuShare(container: string): Promise<number | undefined> {
    const place = await this.#placeOf(container);
    return place === undefined ? undefined : cpuShareOf(place.quota);
  }

  async weighCpu(container: string, share: number): Promise<void> {
    const place = await this.#placeOf(container);
    if (place !== undefined) await weighCpu(place.quota, share);
  }

  async refusedProcesses(container: string): Promise<number | undefined> {
    const place = await this.#placeOf(container);
    return place === undefined ? undefined : refusedProcessesOf(place.processLimit);
  }

  async isConnected(container: string, port: number): Promise<boolean> {
    const place = await this.#placeOf(container);
    if (place === undefined) return false;
    return place.sandboxPort === undefined ? hasVisitor(place.pid, port) : isInUse(place.sandboxPort);
  }

  async diskUse(container: string, most: DiskUse, signal: AbortSignal): Promise<DiskSeen | undefined> {
    const place = await this.#placeOf(container);
    return place === undefined ? undefined : diskUseOf(place, most, signal);
  }

  async connectionsTo(socketName: string, container: string): Promise<number | undefined> {
    const place = await this.#placeOf(container);
    if (place === undefined) return undefined;
    // All of them are in one network, and the first may just have ended.
    for (const pid of await processesOf(place.processes)) {
      const found = await unixConnections(pid, socketName);
      if (found !== undefined) return found;
    }
    this.#places.delete(container);
    return undefined;
  }

  async #placeOf(container: string): Promise<Place | undefined> {
    const known = this.#places.get(container);
    if (known !== undefined) return known;
    const place = await this.#find(container);
    if (place === undefined) return undefined;
    const [oldest] = this.#places.keys();
    if (this.#places.size >= PLACES_KEPT && oldest !== undefined) this.#places.delete(oldest);
    this.#places.set(container, place);
    return place;
  }

  async #find(container: string): Promise<Place | undefined> {
    const found = await this.#ask(`look for ${container}`, async () => {
      try {
        return await this.#docker.getContainer(container).inspect();
      } catch (error) {
        if (statusOf(error) === 404) return undefined;
        throw error;
      }
    });
    if (found?.State.Running !== true) return undefined;
    const groups = await readFile(`/proc/${found.State.Pid}/cgroup`, 'utf8').catch(() => '');
    // Another process may have the number of one that has just ended.
    if (!groups.includes(found.Id)) return undefined;
    const [cpu, quota, processes, freezer] = ['cpuacct', 'cpu', 'pids', 'freezer'].map((controller) =>
      controlGroup(groups, controller),
    );
    if (cpu === undefined || quota === undefined || processes === undefined || freezer === undefined) return undefined;
    const memory = controlGroup(groups, 'memory');
    // A server that was killed while it looked, or had it written to swap, has left it so.
    if (!found.State.Paused) await thaw(ofContainer(freezer, found.Id));
    const { Memory, MemorySwap } = found.HostConfig;
    if (memory !== undefined && MemorySwap === Memory) await boundSwap(ofContainer(memory, found.Id));
    const volumes = found.Mounts.filter(({ Type }) => (Type as string) === 'volume').map(({ Source }) => Source);
    const upper = await this.#upperOf(container, found);
    const seen = [`/proc/${found.State.Pid}/root`, ...volumes];
    const stats = await Promise.all(seen.map((path) => stat(path).catch(() => undefined)));
    return {
      pid: found.State.Pid,
      reader: await outputReader(found.State.Pid),
      sandboxPort: (await isSandbox(found.State.Pid)) ? publishedPort(found) : undefined,
      cpu: ofContainer(cpu, found.Id),
      quota: ofContainer(quota, found.Id),
      processes,
      processLimit: ofContainer(processes, found.Id),
      memory: memory && ofContainer(memory, found.Id),
      freezer: ofContainer(freezer, found.Id),
      folders: [...(upper === undefined ? [] : [upper]), ...volumes],
      engineFiles: engineFiles(found),
      devices: new Set(stats.flatMap((each) => each?.dev ?? [])),
    };
  }

  /** Said once: nothing bounds what those write, whatever their templates say. */
  async #upperOf(container: string, found: Dockerode.ContainerInspectInfo): Promise<string | undefined> {
    const upper = await upperFolder(found);
    if (upper !== undefined) this.#layers = dirname(dirname(upper));
    else if (!this.#saidUnseen) {
      this.#saidUnseen = true;
      const what = 'It cannot be seen where containers write, so that limits.disk and limits.files do not hold';
      this.#log.warn({ container, engine: this.#title.title, driver: found.Driver }, what);
    }
    return upper;
  }

  async #ask<T>(what: string, operation: () => Promise<T>): Promise<T> {
    try {
      return await operation();
    } catch (error) {
      throw engineFailure(error, this.#title, what);
    }
  }
}

/** Where the first one lies on another file system than the second. */
async function ifElsewhere(path: string | undefined, than: string): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const [one, other] = await Promise.all([path, than].map((each) => stat(each).catch(() => undefined)));
  return one !== undefined && one.dev !== other?.dev ? path : undefined;
}

function publishedPort({ HostConfig }: Dockerode.ContainerInspectInfo): number | undefined {
  const bindings = (HostConfig.PortBindings ?? {}) as Readonly<Record<string, readonly { HostPort: string }[] | null>>;
  const [port] = Object.values(bindings).flatMap((each) => (each ?? []).map(({ HostPort }) => Number(HostPort)));
  return port;
}

/** Undefined where it has ended, or we may not look. */
async function proportionalBytes(pid: number): Promise<number | undefined> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
  const kib = /^Pss:\s+(\d+) kB$/m.exec(text)?.[1];
  return kib === undefined ? undefined : Number(kib) * 1_024;
}

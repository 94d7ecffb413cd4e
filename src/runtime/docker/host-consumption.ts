import { readFile, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type Dockerode from 'dockerode';
import type { Consumption, DiskUse, StorageRoom } from '../../pool/interfaces/consumption.ts';
import type { ContainerEngine } from '../engine.ts';
import { deletedFileBytes } from './deleted-files.ts';
import { engineFiles } from './engine-files.ts';
import { engineFailure, statusOf } from './engine-errors.ts';
import { connectEngine, type EngineOptions } from './engine-runtime.ts';
import { folderSizes } from './folder-sizes.ts';

/** Where a running container's processes are counted, and where what it writes lies. */
interface Place {
  /** Its control groups. */
  readonly cpu: string;
  readonly processes: string;
  readonly folders: readonly string[];
  readonly engineFiles: readonly string[];
  /** The file systems that it writes to, as its processes see them. */
  readonly devices: ReadonlySet<number>;
}

const CGROUP = '/sys/fs/cgroup';
/** A template with capabilities such as CHOWN can still write them. */
const ENGINE_FILES_MOST = 2 ** 20;
/** More containers than a host runs. */
const PLACES_KEPT = 20_000;

/** The engine is asked once for a container; everything else is read from the kernel. */
export class HostConsumption implements Consumption {
  readonly #docker: Dockerode;
  readonly #title: { readonly title: string; readonly socketPath: string };
  readonly #places = new Map<string, Place>();
  #storage: string | undefined;

  constructor({ title }: Pick<ContainerEngine, 'title'>, { socketPath }: Pick<EngineOptions, 'socketPath'>) {
    this.#docker = connectEngine(socketPath);
    this.#title = { title, socketPath };
  }

  async storage(): Promise<StorageRoom | undefined> {
    this.#storage ??= await this.#ask('say where its containers lie', async () => {
      const info = (await this.#docker.info()) as { readonly DockerRootDir?: string };
      return info.DockerRootDir;
    });
    if (this.#storage === undefined) return undefined;
    const path = this.#storage;
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

  async cpuMs(container: string): Promise<number | undefined> {
    const place = await this.#placeOf(container);
    if (place === undefined) return undefined;
    const used = await cpuOf(place.cpu);
    // It has ended; another one may get its name.
    if (used === undefined) this.#places.delete(container);
    return used;
  }

  async diskUse(container: string, most: DiskUse, signal: AbortSignal): Promise<DiskUse | undefined> {
    const place = await this.#placeOf(container);
    if (place === undefined) return undefined;
    const own = await sizesOf(place.engineFiles);
    // They lie in memory, and have no more than some lines.
    if (own > ENGINE_FILES_MOST) return { bytes: most.bytes + own, files: 0 };
    const { bytes, files } = await folderSizes(place.folders, most, signal);
    if (bytes > most.bytes || files > most.files) return { bytes, files };
    const procs = await readFile(join(place.processes, 'cgroup.procs'), 'utf8').catch(() => '');
    const pids = (procs.match(/\d+/g) ?? []).map(Number);
    return { bytes: bytes + (await deletedFileBytes(pids, place.devices)), files };
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
    const [cpu, processes] = [controlGroup(groups, 'cpuacct'), controlGroup(groups, 'pids')];
    if (cpu === undefined || processes === undefined) return undefined;
    const volumes = found.Mounts.filter(({ Type }) => (Type as string) === 'volume').map(({ Source }) => Source);
    const upper = upperFolder(found);
    const seen = [`/proc/${found.State.Pid}/root`, ...volumes];
    const stats = await Promise.all(seen.map((path) => stat(path).catch(() => undefined)));
    return {
      cpu,
      processes,
      folders: [...(upper === undefined ? [] : [upper]), ...volumes],
      engineFiles: engineFiles(found),
      devices: new Set(stats.flatMap((each) => each?.dev ?? [])),
    };
  }

  async #ask<T>(what: string, operation: () => Promise<T>): Promise<T> {
    try {
      return await operation();
    } catch (error) {
      throw engineFailure(error, this.#title, what);
    }
  }
}

/** The types know of other graph drivers only. */
function upperFolder({ GraphDriver }: Dockerode.ContainerInspectInfo): string | undefined {
  const data = GraphDriver.Data as Readonly<Record<string, string>> | null;
  return data?.['UpperDir'];
}

async function sizesOf(files: readonly string[]): Promise<number> {
  const found = await Promise.all(files.map((path) => stat(path).catch(() => undefined)));
  return found.reduce((all, each) => all + (each?.size ?? 0), 0);
}

/** Both layouts: a tree for each controller, and one for all. */
function controlGroup(groups: string, controller: string): string | undefined {
  const v1 = new RegExp(`^\\d+:(?:[^:\\n]*,)?${controller}(?:,[^:\\n]*)?:(.*)$`, 'm').exec(groups)?.[1];
  if (v1 !== undefined) return join(CGROUP, controller, v1);
  const v2 = /^0::(.*)$/m.exec(groups)?.[1];
  return v2 === undefined ? undefined : join(CGROUP, v2);
}

async function cpuOf(group: string): Promise<number | undefined> {
  const read = (name: string): Promise<string> => readFile(join(group, name), 'utf8').catch(() => '');
  const nanoseconds = await read('cpuacct.usage');
  if (nanoseconds !== '') return Number(nanoseconds) / 1e6;
  const microseconds = /^usage_usec (\d+)$/m.exec(await read('cpu.stat'))?.[1];
  return microseconds === undefined ? undefined : Number(microseconds) / 1e3;
}

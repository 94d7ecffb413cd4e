import { chown, lstat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type Dockerode from 'dockerode';

/** What an engine mounts into a container that may be written there, and lies on the host's disk or in its memory. */
const NAMES = ['hosts', 'hostname', 'resolv.conf', '.containerenv'];
/** The user number that no process has: the last one there is. */
const NOBODY = 2 ** 32 - 2;

/** Those of this container alone: what others share, or what we mount in their place, is left out. */
export function engineFiles({
  Id,
  HostsPath,
  HostnamePath,
  ResolvConfPath,
}: Pick<Dockerode.ContainerInspectInfo, 'Id' | 'HostsPath' | 'HostnamePath' | 'ResolvConfPath'>): string[] {
  return [HostsPath, HostnamePath, ResolvConfPath, join(dirname(HostsPath), '.containerenv')].filter(
    (path) => path.split('/').includes(Id) && NAMES.includes(basename(path)),
  );
}

/**
 * Takes the right to write them from the container's root: they belong to nobody inside, and root without the
 * capabilities for it writes, and gives rights to, its own files alone. Engines mount them read-only only together
 * with everything else.
 */
export async function closeEngineFiles(files: readonly string[]): Promise<void> {
  await Promise.all(
    files.map(async (path) => {
      const found = await lstat(path).catch(() => undefined);
      if (found?.isFile() === true) await chown(path, NOBODY, NOBODY);
    }),
  );
}

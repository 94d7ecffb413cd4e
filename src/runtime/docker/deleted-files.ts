import { readFile, readdir, stat } from 'node:fs/promises';

const BLOCK = 512;
/** Of one container: what holds more is looked at in part. */
const MOST_LOOKS = 50_000;

/**
 * What deleted files take that these processes hold, open or mapped, on the file systems `devices`. No walk finds them,
 * and their room is free only when nobody holds them any more.
 */
export async function deletedFileBytes(pids: readonly number[], devices: ReadonlySet<number>): Promise<number> {
  const sizes = new Map<string, number>();
  let looks = 0;
  for (const pid of pids) {
    for (const path of [...(await openFiles(pid)), ...(await mappedFiles(pid))]) {
      if ((looks += 1) > MOST_LOOKS) return sum(sizes);
      // Closed meanwhile.
      const file = await stat(path).catch(() => undefined);
      if (file?.isFile() !== true || file.nlink > 0 || !devices.has(file.dev)) continue;
      sizes.set(`${file.dev}:${file.ino}`, file.blocks * BLOCK);
    }
  }
  return sum(sizes);
}

function sum(sizes: ReadonlyMap<string, number>): number {
  return [...sizes.values()].reduce((all, each) => all + each, 0);
}

async function openFiles(pid: number): Promise<string[]> {
  const names = await readdir(`/proc/${pid}/fd`).catch(() => []);
  return names.map((name) => `/proc/${pid}/fd/${name}`);
}

async function mappedFiles(pid: number): Promise<string[]> {
  const maps = await readFile(`/proc/${pid}/maps`, 'latin1').catch(() => '');
  return [...maps.matchAll(/^([0-9a-f]+-[0-9a-f]+) .* \(deleted\)$/gm)].map(
    ([, range = '']) => `/proc/${pid}/map_files/${range}`,
  );
}

import { readFile, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';

export interface ContainerProcess {
  /** As the host numbers it. */
  readonly pid: number;
  readonly name: string;
}

/** All processes that share the process namespace of this one. What ends meanwhile, or has ended, is left out. */
export async function processesWith(pid: number): Promise<readonly ContainerProcess[]> {
  const namespace = await namespaceOf(pid);
  if (namespace === undefined) return [];
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry)).map(Number);
  const found = await Promise.all(
    pids.map(async (each) => ((await namespaceOf(each)) === namespace ? { pid: each, name: await nameOf(each) } : [])),
  );
  return found.flat();
}

async function namespaceOf(pid: number): Promise<string | undefined> {
  return readlink(join('/proc', String(pid), 'ns/pid')).catch(() => undefined);
}

async function nameOf(pid: number): Promise<string> {
  return (await readFile(join('/proc', String(pid), 'comm'), 'utf8').catch(() => 'a process')).trim();
}

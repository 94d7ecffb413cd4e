import { readFile } from 'node:fs/promises';
import { listKernelFolder, readKernelFile } from './kernel-files.ts';

/** What engines have beside each container: it is the parent of the container's first process, and reads its output. */
const READERS = ['conmon', 'containerd-shim'];

/** Undefined where nobody reads the output of this process for it alone. */
export async function outputReader(pid: number): Promise<number | undefined> {
  const parent = Number((await statOf(pid))?.[1]);
  if (!(parent > 1)) return undefined;
  const name = (await readFile(`/proc/${parent}/comm`, 'utf8').catch(() => '')).trim();
  return READERS.includes(name) ? parent : undefined;
}

/** The processor time of the threads of a process so far, in ms; undefined where there is none of this number. */
export function processCpu(pid: number): number | undefined {
  const threads = listKernelFolder(`/proc/${pid}/task`);
  // Finer than the ticks of `stat`: nanoseconds.
  return threads?.reduce((all, thread) => {
    const nanoseconds = Number.parseInt(readKernelFile(`/proc/${pid}/task/${thread}/schedstat`), 10);
    return Number.isNaN(nanoseconds) ? all : all + nanoseconds / 1e6;
  }, 0);
}

/** The fields of /proc/PID/stat from the third on; the second, a name, may have blanks in it. */
async function statOf(pid: number): Promise<string[] | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

import { readFile } from 'node:fs/promises';

/** What engines have beside each container: it is the parent of the container's first process, and reads its output. */
const READERS = ['conmon', 'containerd-shim'];
/** USER_HZ, which is 100 on all that engines run on. */
const MS_PER_TICK = 10;

/** Undefined where nobody reads the output of this process for it alone. */
export async function outputReader(pid: number): Promise<number | undefined> {
  const parent = Number((await statOf(pid))?.[1]);
  if (!(parent > 1)) return undefined;
  const name = (await readFile(`/proc/${parent}/comm`, 'utf8').catch(() => '')).trim();
  return READERS.includes(name) ? parent : undefined;
}

/** The processor time of a process so far, in ms; undefined where there is none of this number. */
export async function processCpu(pid: number): Promise<number | undefined> {
  const fields = await statOf(pid);
  return fields === undefined ? undefined : (Number(fields[11]) + Number(fields[12])) * MS_PER_TICK;
}

/** The fields of /proc/PID/stat from the third on; the second, a name, may have blanks in it. */
async function statOf(pid: number): Promise<string[] | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

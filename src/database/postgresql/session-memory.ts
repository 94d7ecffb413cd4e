import { readFile } from 'node:fs/promises';

/** Of the kernel; the same wherever PostgreSQL and Node run. */
const PAGE_BYTES = 4096;

/**
 * What the process of a session has in memory for itself alone. 0 where it is not to be seen: the server runs in
 * another name space of processes, where the number may be anybody's.
 */
export async function sessionMemory(pid: number, role: string): Promise<number> {
  const read = (file: string): Promise<string> => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
  // The server writes there whom it serves.
  const title = await read('cmdline');
  if (!title.startsWith('postgres:') || !title.includes(` ${role} `)) return 0;
  const [, resident = 0, shared = 0] = (await read('statm')).split(' ').map(Number);
  return (resident - shared) * PAGE_BYTES;
}

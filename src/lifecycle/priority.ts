import { writeFile } from 'node:fs/promises';
import { setPriority } from 'node:os';

/** Of what every visitor waits for, before instances and whatever else runs on the host. */
const FIRST = -5;

/**
 * Which of the host's processes come first where processors are short: -20 to 19, the lowest before all others. What a
 * process starts from now on has it too. Desktop kernels weigh a session as a whole (autogroup). Throws where we may
 * not.
 */
export async function prioritize(pid: number, priority: number): Promise<void> {
  setPriority(pid, priority);
  await writeFile(`/proc/${pid}/autogroup`, String(priority)).catch(() => undefined);
}

/** Without the right to it, it stays as it is. */
export async function comeFirst(pid = process.pid): Promise<void> {
  await prioritize(pid, FIRST).catch(() => undefined);
}

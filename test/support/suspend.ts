import { readFileSync, readdirSync } from 'node:fs';
import { eventually } from './eventually.ts';

/**
 * Stops a process as a hang does, until SIGCONT. Its threads stop one by one, each when it next runs, so a signal that
 * was sent is not yet in force: on a busy machine one of them still answers. This waits until the last has stopped.
 */
export async function suspend({ pid }: { readonly pid?: number | undefined }): Promise<void> {
  if (pid === undefined) throw new Error('a process that did not start cannot be suspended');
  process.kill(pid, 'SIGSTOP');
  await eventually(() => {
    const running = readdirSync(`/proc/${pid}/task`).filter((thread) => !isStopped(`/proc/${pid}/task/${thread}/stat`));
    if (running.length > 0) throw new Error(`threads of process ${pid} still run: ${running.join(', ')}`);
  });
}

function isStopped(path: string): boolean {
  let stat: string;
  try {
    stat = readFileSync(path, 'utf8');
  } catch {
    return true; // A thread that has ended.
  }
  // The state follows the name, which may have anything in it.
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
}

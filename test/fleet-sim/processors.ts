import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** One shell for all of them: to start a process from here takes longer than the change itself. */
const EACH = 'for pid; do taskset --all-tasks --cpu-list --pid "$0" "$pid" >/dev/null || exit 1; done';

/** Has some run on one half of the processors and the others on the other half, until the result is called. */
export async function halveProcessors(
  some: readonly number[],
  others: readonly number[],
): Promise<() => Promise<void>> {
  const count = availableParallelism();
  if (count < 2) throw new Error('there is one processor, which nodes and visitors would have to share');
  const half = Math.floor(count / 2);
  const all = (): Promise<void> => runOn([...some, ...others], `0-${count - 1}`);
  try {
    await runOn(some, `0-${half - 1}`);
    await runOn(others, `${half}-${count - 1}`);
  } catch (error) {
    await all();
    throw error;
  }
  return all;
}

/** `processors`: from 0, such as 0-3. With all threads there are. Throws when one of the processes is gone. */
async function runOn(pids: readonly number[], processors: string): Promise<void> {
  await run('sh', ['-c', EACH, processors, ...pids.map(String)]);
}

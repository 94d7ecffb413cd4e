import { readFile, readdir } from 'node:fs/promises';

/**
 * Kills the processes that restore this container: its conmon and whatever descends from it. For a restore that has
 * hung: as long as one of them lives, Podman holds the container's lock, and answers neither its removal nor any list.
 * Returns how many were killed.
 */
export async function killRestore(name: string): Promise<number> {
  const processes = await Promise.all(
    (await readdir('/proc'))
      .filter((entry) => /^\d+$/.test(entry))
      .map(async (entry) => {
        const pid = Number(entry);
        // Those that end meanwhile have nothing to tell.
        const [args, status] = await Promise.all(
          [`/proc/${pid}/cmdline`, `/proc/${pid}/status`].map((path) => readFile(path, 'utf8').catch(() => '')),
        );
        return { pid, args: (args ?? '').split('\0'), parent: Number(/^PPid:\s*(\d+)/m.exec(status ?? '')?.[1] ?? -1) };
      }),
  );
  const doomed = new Set(processes.filter(({ args }) => isRestoreOf(args, name)).map(({ pid }) => pid));
  for (let before = -1; before !== doomed.size;) {
    before = doomed.size;
    for (const { pid, parent } of processes) if (doomed.has(parent)) doomed.add(pid);
  }
  for (const pid of doomed) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Ended by itself.
    }
  }
  return doomed.size;
}

/** As Podman starts conmon for a restore: `conmon … -n NAME … --restore FOLDER`. */
function isRestoreOf(args: readonly string[], name: string): boolean {
  return (
    (args[0] ?? '').endsWith('conmon') &&
    args.includes('--restore') &&
    args.some((arg, index) => arg === '-n' && args[index + 1] === name)
  );
}

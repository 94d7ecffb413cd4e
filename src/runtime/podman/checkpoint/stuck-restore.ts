import { readFile, readdir, readlink } from 'node:fs/promises';

/** Ten times what the largest app tried takes on a busy machine. A CRIU gone wild writes some 60 MB of log a second. */
export const RESTORE_TIMEOUT_MS = 20_000;
/** As the kernel counts the times of processes, on every architecture that Podman runs on. */
const TICKS_A_SECOND = 100;

interface Process {
  readonly pid: number;
  readonly args: readonly string[];
  readonly parent: number;
}

/**
 * Kills the processes that restore this container: its conmon and whatever descends from it. For a restore that has
 * hung: as long as one of them lives, Podman holds the container's lock, and answers neither its removal nor any list.
 * Returns how many were killed.
 */
export async function killRestore(name: string): Promise<number> {
  const processes = await runningProcesses();
  const doomed = processes.filter(({ args }) => restoredBy(args) === name).flatMap((each) => treeOf(each, processes));
  kill(doomed);
  return doomed.length;
}

/**
 * The same for every restore of ours that has not ended after so long, whoever began it: of a process that was killed,
 * nobody else does. Returns the names of the containers.
 */
export async function killHungRestores(
  olderThanMs: number,
  isOurs = (name: string): boolean => name.startsWith('demo-'),
): Promise<readonly string[]> {
  const processes = await runningProcesses();
  const killed: string[] = [];
  for (const conmon of processes) {
    const name = restoredBy(conmon.args);
    if (name === undefined || !isOurs(name)) continue;
    const tree = treeOf(conmon, processes);
    if (!(await isHung(conmon, tree, olderThanMs))) continue;
    kill(tree);
    killed.push(name);
  }
  return killed;
}

/**
 * A conmon bears the arguments of the restore for as long as the container lives. While that is restored, runc and CRIU
 * are below it, who are no processes of a container.
 */
async function isHung(conmon: Process, tree: readonly Process[], olderThanMs: number): Promise<boolean> {
  const host = await processNamespace(conmon.pid);
  if (host === undefined) return false;
  for (const { pid } of tree)
    if (pid !== conmon.pid && (await processNamespace(pid)) === host && ((await ageMs(pid)) ?? 0) > olderThanMs)
      return true;
  return false;
}

/** Itself and what descends from it. */
function treeOf(root: Process, processes: readonly Process[]): readonly Process[] {
  const tree = [root];
  for (const { pid } of tree) tree.push(...processes.filter(({ parent }) => parent === pid));
  return tree;
}

function kill(processes: readonly Process[]): void {
  for (const { pid } of processes) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // Ended by itself.
    }
  }
}

async function runningProcesses(): Promise<readonly Process[]> {
  return Promise.all(
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
}

/** Whose restore it is, as Podman starts conmon for one: `conmon … -n NAME … --restore FOLDER`. */
function restoredBy(args: readonly string[]): string | undefined {
  if (!(args[0] ?? '').endsWith('conmon') || !args.includes('--restore')) return undefined;
  return args[args.indexOf('-n') + 1];
}

/** Undefined: it has ended. */
function processNamespace(pid: number): Promise<string | undefined> {
  return readlink(`/proc/${pid}/ns/pid`).catch(() => undefined);
}

async function ageMs(pid: number): Promise<number | undefined> {
  const [stat, uptime] = await Promise.all(
    [`/proc/${pid}/stat`, '/proc/uptime'].map((path) => readFile(path, 'utf8').catch(() => undefined)),
  );
  if (stat === undefined || uptime === undefined) return undefined;
  // The command's name, in brackets, may hold anything; the 20th field after it is the start time.
  const begunTicks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
  return (Number(uptime.split(' ')[0]) - begunTicks / TICKS_A_SECOND) * 1_000;
}

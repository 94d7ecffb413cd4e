import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep } from '../../lifecycle/sleep.ts';
import { readKernelFile } from './kernel-files.ts';

const CGROUP = '/sys/fs/cgroup';
const PERIOD_US = 100_000;

/** Of the text of /proc/PID/cgroup. Both layouts: a tree for each controller, and one for all. */
export function controlGroup(groups: string, controller: string): string | undefined {
  const v1 = new RegExp(`^\\d+:(?:[^:\\n]*,)?${controller}(?:,[^:\\n]*)?:(.*)$`, 'm').exec(groups)?.[1];
  if (v1 !== undefined) return join(CGROUP, controller, v1);
  const v2 = /^0::(.*)$/m.exec(groups)?.[1];
  return v2 === undefined ? undefined : join(CGROUP, v2);
}

/** The group of the container itself, which its limits are set on; some runtimes put the processes into one below. */
export function ofContainer(group: string, id: string): string {
  const parts = group.split('/');
  return parts.slice(0, parts.findIndex((part) => part.includes(id)) + 1 || undefined).join('/');
}

/** Of all its processes so far, in ms; undefined where there is no such group any more. */
export function cpuOf(group: string): number | undefined {
  const nanoseconds = readKernelFile(join(group, 'cpuacct.usage'));
  if (nanoseconds !== '') return Number(nanoseconds) / 1e6;
  const microseconds = /^usage_usec (\d+)$/m.exec(readKernelFile(join(group, 'cpu.stat')))?.[1];
  return microseconds === undefined ? undefined : Number(microseconds) / 1e3;
}

/** How many processors it may use; undefined where nothing bounds it, or that cannot be read. */
export async function cpuLimitOf(group: string): Promise<number | undefined> {
  const [quota, period] = [await read(group, 'cpu.cfs_quota_us'), await read(group, 'cpu.cfs_period_us')];
  const [most = quota, per = period] = (await read(group, 'cpu.max')).match(/\d+/g) ?? [];
  return Number(most) > 0 && Number(per) > 0 ? Number(most) / Number(per) : undefined;
}

/** Throws where it cannot be set. */
export async function limitCpu(group: string, cpus: number): Promise<void> {
  const quota = Math.max(1_000, Math.round(cpus * PERIOD_US));
  if ((await read(group, 'cpu.max')) !== '') await writeFile(join(group, 'cpu.max'), `${quota} ${PERIOD_US}`);
  else {
    await writeFile(join(group, 'cpu.cfs_period_us'), String(PERIOD_US));
    await writeFile(join(group, 'cpu.cfs_quota_us'), String(quota));
  }
}

/** What the kernel gives every group, by the names of version 1 and 2. */
const USUAL_WEIGHTS = { 'cpu.shares': 1_024, 'cpu.weight': 100 } as const;

/** Against what every group begins with; undefined where there is no such group any more. */
export async function cpuShareOf(group: string): Promise<number | undefined> {
  for (const [name, usual] of Object.entries(USUAL_WEIGHTS)) {
    const weight = await read(group, name);
    if (weight !== '') return Number(weight) / usual;
  }
  return undefined;
}

/** Throws where it cannot be set. */
export async function weighCpu(group: string, share: number): Promise<void> {
  const name = (await read(group, 'cpu.weight')) === '' ? 'cpu.shares' : 'cpu.weight';
  await writeFile(join(group, name), String(Math.max(2, Math.round(share * USUAL_WEIGHTS[name]))));
}

/** How many processes could not be made for the group's limit; undefined where there is no such group any more. */
export function refusedProcessesOf(group: string): number | undefined {
  const refused = /^max (\d+)$/m.exec(readKernelFile(join(group, 'pids.events')))?.[1];
  return refused === undefined ? undefined : Number(refused);
}

export async function processesOf(group: string): Promise<number[]> {
  return ((await read(group, 'cgroup.procs')).match(/\d+/g) ?? []).map(Number);
}

/** Those that end want processors as well: all their bounds are lifted. */
export async function lift(group: string): Promise<void> {
  await weighCpu(group, 1);
  if ((await read(group, 'cpu.max')) !== '') await writeFile(join(group, 'cpu.max'), `max ${PERIOD_US}`);
  else await writeFile(join(group, 'cpu.cfs_quota_us'), '-1');
}

/** What engines set for the limit that every instance has; what is found may be left by a server that was killed. */
const NO_SWAP = '0';

/**
 * Has the kernel write what the group holds in memory to swap, as far as there is room. What is used comes back by
 * itself. Throws where it cannot be told to.
 */
export async function swapOut(group: string): Promise<void> {
  const tell = (name: string, text: string): Promise<void> => writeFile(join(group, name), text, { flag: 'r+' });
  if ((await read(group, 'memory.swap.max')) === '') return tell('memory.force_empty', '0');
  // In version 2 a limit that counts swap in leaves the group none. What lies there already may stay.
  await tell('memory.swap.max', 'max');
  try {
    await tell('memory.reclaim', (await read(group, 'memory.current')).trim());
  } catch (error) {
    // Some of it is in use just now: less than all was written.
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  } finally {
    await tell('memory.swap.max', NO_SWAP);
  }
}

/** Of a group whose limit counts swap in; nothing happens in version 1, where no limit of it is touched. */
export async function boundSwap(group: string): Promise<void> {
  if ((await read(group, 'memory.swap.max')).trim() !== 'max') return;
  await writeFile(join(group, 'memory.swap.max'), NO_SWAP, { flag: 'r+' }).catch(() => undefined);
}

/** How often it is looked whether they have ended, and how long is waited between. */
const KILL_LOOKS = 20;
const KILL_PAUSE_MS = 25;

/**
 * Ends all processes of the group that `members` is in or below. Version 2 does it in one step. With version 1 they are
 * frozen first, since those that are frozen make no others. Throws where we may not.
 */
export async function killAll(group: string, members: string): Promise<void> {
  const atOnce = await writeFile(join(group, 'cgroup.kill'), '1', { flag: 'r+' }).then(
    () => true,
    () => false,
  );
  for (let look = 0; !atOnce && look < KILL_LOOKS; look += 1) {
    await writeFile(join(group, 'freezer.state'), 'FROZEN', { flag: 'r+' }).catch(() => undefined);
    const pids = await processesOf(members);
    try {
      for (const pid of pids) killIfThere(pid);
    } finally {
      await writeFile(join(group, 'freezer.state'), 'THAWED', { flag: 'r+' }).catch(() => undefined);
    }
    if (pids.length === 0) return;
    await sleep(KILL_PAUSE_MS);
  }
}

/** How often it is looked whether they have stopped. */
const FREEZE_LOOKS = 40;
const FREEZE_PAUSE_MS = 5;

/** Runs `work` while the processes of the group stand still. Throws where they cannot be stopped. */
export async function frozen<T>(group: string, work: () => Promise<T>): Promise<T> {
  try {
    let still = false;
    for (let look = 0; look < FREEZE_LOOKS && !still; look += 1) {
      if (look > 0) await sleep(FREEZE_PAUSE_MS);
      await tellFreezer(group, 'FROZEN', '1');
      const state = `${await read(group, 'freezer.state')}${await read(group, 'cgroup.events')}`;
      still = /^FROZEN$|^frozen 1$/m.test(state);
    }
    if (!still) throw new Error(`the processes of the control group ${group} could not be stopped for a look`);
    return await work();
  } finally {
    await thaw(group);
  }
}

/** Nothing happens where they run. */
export async function thaw(group: string): Promise<void> {
  await tellFreezer(group, 'THAWED', '0');
}

async function tellFreezer(group: string, v1: string, v2: string): Promise<void> {
  await writeFile(join(group, 'freezer.state'), v1, { flag: 'r+' })
    .catch(() => writeFile(join(group, 'cgroup.freeze'), v2, { flag: 'r+' }))
    .catch(() => undefined);
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // It has ended otherwise.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

async function read(group: string, name: string): Promise<string> {
  return readFile(join(group, name), 'utf8').catch(() => '');
}

import { execFile } from 'node:child_process';
import { readFile, readdir, statfs } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface HostSample {
  readonly atMs: number;
  /** Of all processors together, since the sample before: 0 to 1. */
  readonly cpuBusy: number;
  readonly memoryFreeBytes: number;
  readonly diskFreeBytes: number;
  readonly load: number;
}

/** Looks again and again, at what is left of the host. */
export class HostWatch {
  readonly samples: HostSample[] = [];
  readonly #storage: string;
  #last = { busy: 0, all: 0 };

  constructor(storage: string) {
    this.#storage = storage;
  }

  async look(): Promise<void> {
    const last = this.#last;
    const times = cpus().map(({ times }) => times);
    const all = times.reduce((sum, { user, nice, sys, idle, irq }) => sum + user + nice + sys + idle + irq, 0);
    const busy = all - times.reduce((sum, { idle }) => sum + idle, 0);
    this.#last = { busy, all };
    const { bavail, bsize } = await statfs(this.#storage);
    const available = /^MemAvailable:\s+(\d+) kB$/m.exec(await readFile('/proc/meminfo', 'utf8'))?.[1];
    this.samples.push({
      atMs: performance.now(),
      cpuBusy: (busy - last.busy) / Math.max(1, all - last.all),
      memoryFreeBytes: Number(available) * 1_024,
      diskFreeBytes: bavail * bsize,
      load: loadavg()[0] ?? 0,
    });
  }
}

/** What a crowd could leave behind on the host, beside what the audit of the recorded state is about. */
export async function leftovers(): Promise<ReadonlyMap<string, number>> {
  const [rules, mounts, interfaces, groups, monitors] = await Promise.all([
    run('iptables-save').then(({ stdout }) => stdout.split('\n').filter((line) => line.startsWith('-A')).length),
    readFile('/proc/mounts', 'utf8').then((text) => text.split('\n').length),
    readdir('/sys/class/net').then(({ length }) => length),
    countGroups(),
    countMonitors(),
  ]);
  return new Map([
    ['rules of the firewall', rules],
    ['mounts', mounts],
    ['network interfaces', interfaces],
    ['control groups', groups],
    ['monitors of containers', monitors],
  ]);
}

async function countGroups(): Promise<number> {
  for (const folder of [
    '/sys/fs/cgroup/cpu/libpod_parent',
    '/sys/fs/cgroup/machine.slice',
    '/sys/fs/cgroup/libpod_parent',
  ]) {
    const found = await readdir(folder, { withFileTypes: true }).catch(() => undefined);
    if (found !== undefined) return found.filter((entry) => entry.isDirectory()).length;
  }
  return 0;
}

/** Not those of commands in containers, which Podman keeps for five minutes after each command. */
async function countMonitors(): Promise<number> {
  const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return lines.filter((line) => /^[^\0]*conmon\0/.test(line) && !line.includes('--exec-process-spec')).length;
}

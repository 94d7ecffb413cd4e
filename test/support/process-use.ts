import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** Of /proc/<pid>/stat, on every Linux of today. */
const TICKS_PER_SECOND = 100;
const UTIME = 11;
const run = promisify(execFile);

/** Seconds of processors that these processes have used since they were started. */
export async function processorSeconds(pids: readonly number[]): Promise<number> {
  const ticks = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
      // The name stands in parentheses and may have spaces.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(fields[UTIME]) + Number(fields[UTIME + 1]);
    }),
  );
  return sum(ticks) / TICKS_PER_SECOND;
}

/** Memory that is theirs, what they share counted in parts (PSS); bytes. */
export async function memoryBytes(pids: readonly number[]): Promise<number> {
  const kilobytes = await Promise.all(
    pids.map(async (pid) => {
      const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
      return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? NaN);
    }),
  );
  return sum(kilobytes) * 1024;
}

/**
 * Bytes that one process has sent and received on its connections to these ports, each connection as long as it
 * stands.
 */
export async function trafficBytes(pid: number, ports: readonly number[]): Promise<number> {
  const { stdout } = await run('ss', ['-tinpH', ports.map((port) => `dport = :${port}`).join(' or ')]);
  // A connection's counters are on the line below it.
  const connections = stdout.replaceAll(/\n\s+/g, ' ').split('\n');
  const own = connections.filter((line) => line.includes(`pid=${pid},`));
  return sum(own.flatMap((line) => [count(line, 'bytes_sent'), count(line, 'bytes_received')]));
}

function count(line: string, counter: string): number {
  return Number(new RegExp(`\\b${counter}:(\\d+)`).exec(line)?.[1] ?? 0);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

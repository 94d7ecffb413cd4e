import { readFile, readdir } from 'node:fs/promises';
import { Redis as Valkey } from 'iovalkey';
import type { ServerProcess } from './server-process.ts';

/** What some work cost each part: processor time in microseconds, and the bytes between server and Valkey. */
export interface Cost {
  readonly server: number;
  readonly valkey: number;
  readonly load: number;
  readonly bytes: number;
}

/** Runs the work and says what it cost; what the server does beside it in that time is in it. */
export async function costOf<T>(
  { pids, valkeyAddress }: ServerProcess,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly cost: Cost }> {
  const read = async (): Promise<Cost> => {
    const { user, system } = process.cpuUsage();
    const [server, valkey, bytes] = await Promise.all([
      processorUs(pids.server),
      processorUs(pids.valkey),
      bytesThrough(valkeyAddress),
    ]);
    return { server, valkey, load: user + system, bytes };
  };
  const before = await read();
  const result = await work();
  const after = await read();
  return {
    result,
    cost: {
      server: after.server - before.server,
      valkey: after.valkey - before.valkey,
      load: after.load - before.load,
      bytes: after.bytes - before.bytes,
    },
  };
}

/** Of all its threads that still run, by the scheduler's own count, which is finer than a clock tick. */
async function processorUs(pid: number): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`);
  const spentNs = await Promise.all(
    threads.map(async (thread) => {
      const stat = await readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').catch(() => '0');
      return Number(stat.split(' ')[0]);
    }),
  );
  return spentNs.reduce((sum, ns) => sum + ns, 0) / 1_000;
}

async function bytesThrough(address: string): Promise<number> {
  const client = new Valkey(`redis://${address}`, { lazyConnect: true });
  await client.connect();
  const stats = await client.info('stats');
  client.disconnect();
  return ['total_net_input_bytes', 'total_net_output_bytes']
    .map((name) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(stats)?.[1]))
    .reduce((sum, bytes) => sum + bytes, 0);
}

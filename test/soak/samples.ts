import { readFile, readdir } from 'node:fs/promises';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Redis as Valkey } from 'iovalkey';
import { keys } from '../../src/store/keys.ts';
import type { World } from '../drills/outage-world.ts';

export const PROCESSES = ['server', 'discovery', 'engine', 'valkey', 'nats', 'caddy'] as const;
export type ProcessName = (typeof PROCESSES)[number];

export interface ProcessSample {
  readonly pid: number;
  readonly rssBytes: number;
  readonly descriptors: number;
  /** Of V8, from /metrics; undefined where there is none. */
  readonly heapBytes: number | undefined;
}

interface StoreSample {
  /** That never expire by themselves: what a leak would be made of. */
  readonly lastingKeys: number;
  readonly expiringKeys: number;
  readonly memoryBytes: number;
  readonly hostnameChanges: number;
}

/** What could be read at one moment: a part that is down is left out. */
export interface Sample {
  readonly atMs: number;
  readonly processes: ReadonlyMap<ProcessName, ProcessSample>;
  readonly store: StoreSample | undefined;
  readonly tasks: number | undefined;
  readonly deadTasks: number | undefined;
}

const LOOK_TIMEOUT_MS = 2_000;

export async function takeSample(world: World): Promise<Sample> {
  const { host, port } = world.config.proxy.discovery.metrics;
  const metrics: Partial<Record<ProcessName, string>> = {
    server: `${world.api}/metrics`,
    discovery: `http://${host}:${port}/metrics`,
  };
  const seen = await Promise.all(
    PROCESSES.map(async (name) => {
      const sample = await ofProcess(pidOf(world, name), metrics[name]).catch(() => undefined);
      return sample === undefined ? [] : [[name, sample] as const];
    }),
  );
  const [store, queue] = await Promise.all([
    ofStore(world).catch(() => undefined),
    ofQueue(world).catch(() => undefined),
  ]);
  return {
    atMs: performance.now(),
    processes: new Map(seen.flat()),
    store,
    tasks: queue?.tasks,
    deadTasks: queue?.dead,
  };
}

function pidOfPart(world: World, name: Parameters<World['part']>[0]): number | undefined {
  const part = world.part(name);
  return part.alive ? part.pid : undefined;
}

function pidOf(world: World, name: ProcessName): number | undefined {
  switch (name) {
    case 'engine':
      return world.simulatedEngine?.pid;
    case 'server':
      return pidOfPart(world, 'api');
    case 'discovery':
    case 'valkey':
    case 'nats':
    case 'caddy':
      return pidOfPart(world, name);
  }
}

async function ofProcess(pid: number | undefined, metricsUrl: string | undefined): Promise<ProcessSample | undefined> {
  if (pid === undefined) return undefined;
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  // A zombie has none.
  if (kilobytes === undefined) return undefined;
  const descriptors = (await readdir(`/proc/${pid}/fd`)).length;
  const heapBytes = metricsUrl === undefined ? undefined : await heapOf(metricsUrl).catch(() => undefined);
  return { pid, rssBytes: Number(kilobytes) * 1_024, descriptors, heapBytes };
}

async function heapOf(url: string): Promise<number | undefined> {
  const text = await (await fetch(url, { signal: AbortSignal.timeout(LOOK_TIMEOUT_MS) })).text();
  const value = /^nodejs_heap_size_used_bytes (\S+)$/m.exec(text)?.[1];
  return value === undefined ? undefined : Number(value);
}

async function ofStore({ auditTarget }: World): Promise<StoreSample> {
  const valkey = new Valkey(auditTarget.valkeyPort, '127.0.0.1', {
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    commandTimeout: LOOK_TIMEOUT_MS,
    lazyConnect: true,
  });
  valkey.on('error', () => undefined);
  try {
    await valkey.connect();
    const [keyspace, memory, hostnameChanges] = await Promise.all([
      valkey.info('keyspace'),
      valkey.info('memory'),
      valkey.xlen(keys.hostnameChanges),
    ]);
    const [, all = '0', expiring = '0'] = /^db0:keys=(\d+),expires=(\d+)/m.exec(keyspace) ?? [];
    return {
      lastingKeys: Number(all) - Number(expiring),
      expiringKeys: Number(expiring),
      hostnameChanges,
      memoryBytes: Number(/^used_memory:(\d+)/m.exec(memory)?.[1] ?? 'NaN'),
    };
  } finally {
    valkey.disconnect();
  }
}

async function ofQueue({ auditTarget }: World): Promise<{ readonly tasks: number; readonly dead: number }> {
  const nats = await connect({
    servers: new URL(auditTarget.natsUrl).host,
    reconnect: false,
    timeout: LOOK_TIMEOUT_MS,
  });
  try {
    const manager = await jetstreamManager(nats, { timeout: LOOK_TIMEOUT_MS });
    const [tasks, dead] = await Promise.all(
      ['PROVISIONING', 'PROVISIONING_DEAD'].map(async (stream) => (await manager.streams.info(stream)).state.messages),
    );
    return { tasks: tasks ?? 0, dead: dead ?? 0 };
  } finally {
    await nats.close();
  }
}

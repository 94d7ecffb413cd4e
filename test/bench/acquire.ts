import { acquireInSequence, rate, releaseInSequence } from './load.ts';
import { figure, median, percentile, type Figure } from './figures.ts';
import { startServerProcess, type ServerProcess } from './server-process.ts';

const SIZES = [100, 1_000, 10_000] as const;
const ROUNDS = 5;
const CONNECTIONS = 64;

/**
 * Latency one after another, throughput against a no-op route of the same server, and both against
 * the size of the pool.
 */
export async function benchAcquire(): Promise<Figure[]> {
  const servers: ServerProcess[] = [];
  try {
    let firstPort = 10_000;
    for (const target of SIZES) {
      const portRange = [firstPort, firstPort + target + 200] as const;
      firstPort = portRange[1] + 1;
      servers.push(await startServerProcess({ engine: 'simulated', target, workers: 16, portRange }));
    }
    return [...(await bySize(servers)), ...(await againstNoop(servers.at(-1))), ...(await releases(servers.at(-1)))];
  } finally {
    for (const server of servers) await server[Symbol.asyncDispose]();
  }
}

async function bySize(servers: readonly ServerProcess[]): Promise<Figure[]> {
  const samples = servers.map((): number[] => []);
  for (const server of servers) await warmUp(server);
  // In turns, so that the machine's moods fall on all sizes alike; 15 of 100 a round keep the
  // smallest pool above its threshold.
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [at, { api }] of servers.entries())
      samples[at]?.push(...(await acquireInSequence(api, at === 0 ? 15 : 100)).latenciesMs);
  }
  const [small = [], , large = []] = samples;
  return [
    ...samples.map((latencies, at) => figure(`acquire p50, pool of ${SIZES[at] ?? 0}`, median(latencies), 'ms')),
    figure('acquire p50, one after another', median(large), 'ms', { atMost: 1 }),
    figure('acquire p99, one after another', percentile(large, 0.99), 'ms', { atMost: 5 }),
    figure('acquire p50, pool of 10,000 against 100', median(large) / median(small), '×', { atMost: 1.25 }),
  ];
}

/**
 * What the engine of JavaScript compiles on the way is not what a running server costs. A repeated idempotency key goes
 * the whole way of an acquire without using the pool up.
 */
async function warmUp({ api }: ServerProcess): Promise<void> {
  await rate({ url: `${api}/health`, amount: 10_000, connections: CONNECTIONS });
  await rate({
    url: `${api}/api/v1/demo/acquire`,
    method: 'POST',
    amount: 20_000,
    connections: CONNECTIONS,
    headers: { 'idempotency-key': 'warm-up' },
  });
}

async function againstNoop(server: ServerProcess | undefined): Promise<Figure[]> {
  if (server === undefined) return [];
  const noop: number[] = [];
  const acquire: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    noop.push(await rate({ url: `${server.api}/health`, amount: 10_000, connections: CONNECTIONS }));
    acquire.push(
      await rate({ url: `${server.api}/api/v1/demo/acquire`, method: 'POST', amount: 1_500, connections: CONNECTIONS }),
    );
  }
  const shares = acquire.map((value, at) => value / (noop[at] ?? NaN));
  return [
    figure(`no-op JSON route, ${CONNECTIONS} connections`, median(noop), 'req/s'),
    figure(`acquire, ${CONNECTIONS} connections`, median(acquire), 'req/s'),
    figure('acquire as a share of the no-op route', median(shares) * 100, '%', { atLeast: 50 }),
  ];
}

async function releases(server: ServerProcess | undefined): Promise<Figure[]> {
  if (server === undefined) return [];
  const { acquired } = await acquireInSequence(server.api, 200);
  const latencies = await releaseInSequence(
    server.api,
    acquired.map(({ id }) => id),
  );
  return [
    figure('release p50', median(latencies), 'ms'),
    figure('release p99', percentile(latencies, 0.99), 'ms', { atMost: 5 }),
  ];
}

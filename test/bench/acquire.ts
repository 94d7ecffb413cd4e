import { costOf, type Cost } from './cost.ts';
import { acquireInSequence, rate, releaseInSequence } from './load.ts';
import { figure, median, percentile, type Figure } from './figures.ts';
import { startServerProcess, type ServerProcess } from './server-process.ts';

const SIZES = [100, 1_000, 10_000] as const;
const ROUNDS = 5;
const CONNECTIONS = 64;
/** Of a round: short enough that the pool of 10,000 lasts. */
const NOOPS = 10_000;
const ACQUIRES = 1_500;

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
  const noopCosts: Cost[] = [];
  const acquireCosts: Cost[] = [];
  const acquireUrl = `${server.api}/api/v1/demo/acquire`;
  for (let round = 0; round < ROUNDS; round += 1) {
    const idle = await costOf(server, () =>
      rate({ url: `${server.api}/health`, amount: NOOPS, connections: CONNECTIONS }),
    );
    const taking = await costOf(server, () =>
      rate({ url: acquireUrl, method: 'POST', amount: ACQUIRES, connections: CONNECTIONS }),
    );
    noop.push(idle.result);
    acquire.push(taking.result);
    noopCosts.push(idle.cost);
    acquireCosts.push(taking.cost);
  }
  const shares = acquire.map((value, at) => value / (noop[at] ?? NaN));
  return [
    figure(`no-op JSON route, ${CONNECTIONS} connections`, median(noop), 'req/s'),
    figure(`acquire, ${CONNECTIONS} connections`, median(acquire), 'req/s'),
    figure('acquire as a share of the no-op route', median(shares) * 100, '%', { atLeast: 50 }),
    figure('no-op, processor time of the server', each(noopCosts, 'server', NOOPS), 'µs'),
    figure('no-op, processor time of the load', each(noopCosts, 'load', NOOPS), 'µs'),
    figure('acquire, processor time of the server', each(acquireCosts, 'server', ACQUIRES), 'µs'),
    figure('acquire, processor time of Valkey', each(acquireCosts, 'valkey', ACQUIRES), 'µs'),
    figure('acquire, processor time of the load', each(acquireCosts, 'load', ACQUIRES), 'µs'),
    figure('acquire, bytes between server and Valkey', each(acquireCosts, 'bytes', ACQUIRES), 'bytes'),
  ];
}

/** What one request cost, by the median of the rounds. */
function each(costs: readonly Cost[], part: keyof Cost, requests: number): number {
  return median(costs.map((cost) => cost[part])) / requests;
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

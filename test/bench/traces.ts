import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { costOf } from './cost.ts';
import { figureOfRounds, median, type Figure } from './figures.ts';
import { rate } from './load.ts';
import { startServerProcess, type ServerProcess } from './server-process.ts';

const SAMPLES = ['off', '0', '0.01', '1'] as const;
type Sample = (typeof SAMPLES)[number];
const ROUNDS = 7;
const REQUESTS = 1_500;
const CONNECTIONS = 64;
const POOL = 20;

interface Measured {
  readonly perSecond: number[];
  readonly serverUs: number[];
}

/** What traces cost an acquire: the same server without any, with none of them sampled, with 1 % and with all. */
export async function benchTraces(): Promise<Figure[]> {
  await using sink = await startSink();
  const servers = new Map<Sample, ServerProcess>();
  try {
    let firstPort = 10_000;
    for (const sample of SAMPLES) {
      servers.set(
        sample,
        await startServerProcess({
          engine: 'simulated',
          target: POOL,
          workers: 4,
          portRange: [firstPort, firstPort + 100],
          env: sample === 'off' ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, TRACES_SAMPLE: sample },
        }),
      );
      firstPort += 101;
    }
    return figures(await measured(servers));
  } finally {
    for (const server of servers.values()) await server[Symbol.asyncDispose]();
  }
}

async function measured(servers: ReadonlyMap<Sample, ServerProcess>): Promise<ReadonlyMap<Sample, Measured>> {
  const found = new Map(SAMPLES.map((sample): [Sample, Measured] => [sample, { perSecond: [], serverUs: [] }]));
  for (const server of servers.values()) await load(server, 2 * REQUESTS);
  // In turns, so that the machine's moods fall on all alike.
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [sample, server] of servers) {
      const { result, cost } = await costOf(server, () => load(server, REQUESTS));
      found.get(sample)?.perSecond.push(result);
      found.get(sample)?.serverUs.push(cost.server / REQUESTS);
    }
  }
  return found;
}

/** A repeated idempotency key goes the whole way of an acquire without using the pool up. */
function load({ api }: ServerProcess, amount: number): Promise<number> {
  return rate({
    url: `${api}/api/v1/demo/acquire`,
    method: 'POST',
    amount,
    connections: CONNECTIONS,
    headers: { 'idempotency-key': 'the-same' },
  });
}

function figures(found: ReadonlyMap<Sample, Measured>): Figure[] {
  const off = found.get('off') ?? { perSecond: [], serverUs: [] };
  return [...found].flatMap(([sample, { perSecond, serverUs }]) => {
    const name = sample === 'off' ? 'no traces' : `${Number(sample) * 100} % traced`;
    return [
      figureOfRounds(`acquire, ${name}`, perSecond, 'req/s'),
      figureOfRounds(`acquire, processor time of the server, ${name}`, serverUs, 'µs'),
      figureOfRounds(
        `acquire, processor time against none, ${name}`,
        serverUs.map((us, at) => us - (off.serverUs[at] ?? median(off.serverUs))),
        'µs',
      ),
    ];
  });
}

/** Takes whatever it is sent, and does nothing with it. */
async function startSink(): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((request, response) => {
    request.resume().once('end', () => response.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

import { request } from 'undici';
import { sleep } from '../../src/lifecycle/sleep.ts';
import { figure, type Figure } from './figures.ts';
import type { Acquired } from './load.ts';
import { startServerProcess, type ServerProcess } from './server-process.ts';
import { visitTrace, type TracedVisit } from './visit-trace.ts';

/** The trace's clock runs so much faster than ours. */
const FASTER = 30;
const HOURS = 2;
const SEED = 12;
const POOL_SIZE = 20;
const KEPT_READY = 4;
const MINUTE_MS = 60_000;
const REQUEST_EVERY_MS = 20_000;
const ASKS_AGAIN_MS = 20_000;
/** Who has found nothing for so long goes away. */
const PATIENCE_MS = 2 * MINUTE_MS;

const POOLS = {
  'fixed 30 minutes': { ttl: { default: minutes(30), max: minutes(120) } },
  'fixed 10 minutes': { ttl: { default: minutes(10), max: minutes(120) } },
  'ended after 10 idle minutes, renewed by use': used(10),
  'ended after 5 idle minutes, renewed by use': used(5),
};

function used(idleMinutes: number) {
  return {
    ttl: { default: minutes(30), max: minutes(120) },
    renew: 'on_use',
    idle: { end_after: minutes(idleMinutes), warn: '1s' },
  };
}

/** As a template has it, on our clock. */
function minutes(count: number): string {
  return `${(count * MINUTE_MS) / FASTER}ms`;
}

interface Outcome {
  readonly served: boolean;
  /** It ended while its visitor still used it. */
  readonly cutOff: boolean;
}

/**
 * The same visitors at pools of the same size, each a server of its own with simulated instances and all the
 * rest real, at the same time.
 */
export async function benchIdle(): Promise<Figure[]> {
  const trace = visitTrace(HOURS * 60 * MINUTE_MS, SEED);
  const servers: [string, ServerProcess][] = [];
  try {
    for (const [name, app] of Object.entries(POOLS)) {
      const first = 10_000 + servers.length * 400;
      servers.push([name, await startServerProcess({ ...SHARED, app, portRange: [first, first + 399] })]);
    }
    const results = await Promise.all(
      servers.map(async ([name, server]) => [name, await play(server, trace)] as const),
    );
    return [figure('visitors in two hours', trace.length, ''), ...results.flatMap(([name, of]) => tell(name, of))];
  } finally {
    for (const [, server] of servers) await server[Symbol.asyncDispose]();
  }
}

const SHARED = { engine: 'simulated', target: KEPT_READY, room: POOL_SIZE, workers: 4, threshold: 0 } as const;

function tell(name: string, outcomes: readonly Outcome[]): Figure[] {
  const share = (of: readonly Outcome[], is: (outcome: Outcome) => boolean) => (of.filter(is).length / of.length) * 100;
  const served = outcomes.filter((outcome) => outcome.served);
  return [
    figure(`${name}: visits served an hour`, served.length / HOURS, ''),
    figure(
      `${name}: turned away after ${PATIENCE_MS / MINUTE_MS} minutes`,
      share(outcomes, (one) => !one.served),
      '%',
    ),
    figure(
      `${name}: ended while in use`,
      share(served, (one) => one.cutOff),
      '%',
    ),
  ];
}

function play(server: ServerProcess, trace: readonly TracedVisit[]): Promise<readonly Outcome[]> {
  return Promise.all(
    trace.map(async (visit) => {
      await sleep(visit.atMs / FASTER);
      return visitOnce(server, visit);
    }),
  );
}

async function visitOnce(server: ServerProcess, { usesForMs, ends }: TracedVisit): Promise<Outcome> {
  const held = await acquire(server.api);
  if (held === undefined) return { served: false, cutOff: false };
  const endsAtMs = performance.now() + usesForMs / FASTER;
  for (;;) {
    const status = await statusOf(`http://127.0.0.1:${server.proxyPort}/`, {
      headers: { host: new URL(held.url).host },
    });
    if (status !== 200) return { served: true, cutOff: true };
    const leftMs = endsAtMs - performance.now();
    if (leftMs <= 0) break;
    await sleep(Math.min(leftMs, REQUEST_EVERY_MS / FASTER));
  }
  if (ends) await statusOf(`${server.api}/api/v1/demo/${held.id}`, { method: 'DELETE' });
  return { served: true, cutOff: false };
}

/** Undefined for who lost patience. */
async function acquire(api: string): Promise<Acquired | undefined> {
  const patientUntilMs = performance.now() + PATIENCE_MS / FASTER;
  for (;;) {
    const { statusCode, body } = await request(`${api}/api/v1/demo/acquire`, { method: 'POST' });
    if (statusCode === 201) return (await body.json()) as Acquired;
    const text = await body.text();
    if (statusCode !== 503) throw new Error(`acquire answered ${statusCode}: ${text}`);
    if (performance.now() >= patientUntilMs) return undefined;
    await sleep(ASKS_AGAIN_MS / FASTER);
  }
}

async function statusOf(url: string, options: Parameters<typeof request>[1] = {}): Promise<number> {
  const { statusCode, body } = await request(url, options);
  await body.dump();
  return statusCode;
}

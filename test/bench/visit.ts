import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'undici';
import { findProgram } from '../../src/launcher/child-server.ts';
import { sleep } from '../../src/lifecycle/sleep.ts';
import { launchPodman } from '../../src/runtime/podman/launch.ts';
import { eventually } from '../support/eventually.ts';
import { figure, median, percentile, type Figure } from './figures.ts';
import { HELLO, buildHello, helloArchive } from './hello.ts';
import { releaseInSequence, type Acquired } from './load.ts';
import { startServerProcess, type ServerProcess } from './server-process.ts';

const CLONES = 100;
/** As without the key, and with as little as may be of the host's memory. */
const MEMORY = ['private', 'share'] as const;
const CROWD = 300;
const OPEN = { perSecond: 45, seconds: 60 };

interface Visit {
  readonly id: string;
  readonly tookMs: number;
  /** Of that, until the API has answered. */
  readonly acquireMs: number;
}

interface Goals {
  readonly median?: number;
  readonly p99?: number;
}

/** From the click to the first page through the proxy: what a visitor waits for, connections included. */
export async function benchVisit(): Promise<Figure[]> {
  return [...(await realClones()), ...(await simulated())];
}

async function realClones(): Promise<Figure[]> {
  if (findProgram('podman') === undefined) {
    console.log('Visits of real instances are not measured: Podman is not installed (make setup installs it).');
    return [];
  }
  await buildHello();
  const dir = await mkdtemp(join(tmpdir(), 'try-it-now-bench-'));
  await using podman = await launchPodman({ socketPath: join(dir, 'podman.sock') });
  try {
    const file = await helloArchive(dir, podman.socketPath);
    const figures: Figure[] = [];
    for (const memory of MEMORY) figures.push(...(await clones({ dir, file, memory, socketPath: podman.socketPath })));
    return figures;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function clones({
  dir,
  file,
  memory,
  socketPath,
}: {
  readonly dir: string;
  readonly file: string;
  readonly memory: (typeof MEMORY)[number];
  readonly socketPath: string;
}): Promise<Figure[]> {
  await using server = await startServerProcess({
    engine: 'podman',
    socketPath,
    // Nothing is refilled while a hundred are handed out: only an empty pool is.
    target: CLONES + 1,
    workers: 4,
    portRange: [25_000, 25_799],
    threshold: 1,
    room: 3 * CLONES,
    app: { ...HELLO, memory, checkpoint: { ...HELLO.checkpoint, file } },
    env: { CHECKPOINT_DIR: join(dir, 'checkpoints') },
  });
  const each: Visit[] = [];
  for (let at = 0; at < CLONES; at += 1) each.push(await visit(server));
  await refill(server, [...each, await visit(server)]);
  const together = await Promise.all(Array.from({ length: CLONES }, () => visit(server)));
  const what = `${CLONES} clones of hello, memory: ${memory}`;
  return [
    ...figures(`${what}, one after another`, each, { median: 10, p99: 40 }),
    ...figures(`${what}, all at once`, together, { p99: 500 }),
  ];
}

async function simulated(): Promise<Figure[]> {
  const arrivals = OPEN.perSecond * OPEN.seconds;
  await using server = await startServerProcess({
    engine: 'simulated',
    target: CROWD + arrivals + 1,
    workers: 8,
    portRange: [12_200, 15_999],
    threshold: 1,
  });
  const arrived = await openLoop(server, OPEN);
  const together = await Promise.all(Array.from({ length: CROWD }, () => visit(server)));
  return [
    ...figures(`${CROWD} simulated instances, all at once`, together),
    ...figures(`simulated instances, ${OPEN.perSecond} a second for ${OPEN.seconds} s`, arrived, { p99: 50 }),
  ];
}

/** Each comes with connections of its own, and one that gets anything else than a page is an error. */
async function visit({ api, proxyPort }: ServerProcess): Promise<Visit> {
  const startedAt = performance.now();
  const { id, url } = JSON.parse(
    await asked(api, { method: 'POST', path: '/api/v1/demo/acquire', status: 201 }),
  ) as Acquired;
  const acquireMs = performance.now() - startedAt;
  const { host, pathname, search } = new URL(url);
  const headers = { host };
  await asked(`http://127.0.0.1:${proxyPort}`, { method: 'GET', path: `${pathname}${search}`, headers, status: 200 });
  return { id, tookMs: performance.now() - startedAt, acquireMs };
}

async function asked(
  origin: string,
  request: {
    readonly method: 'GET' | 'POST';
    readonly path: string;
    readonly status: number;
    readonly headers?: Readonly<Record<string, string>>;
  },
): Promise<string> {
  const client = new Client(origin);
  try {
    const { method, path, headers = {}, status } = request;
    const { statusCode, body } = await client.request({ method, path, headers });
    const text = await body.text();
    if (statusCode !== status) throw new Error(`${method} ${origin}${path} was answered with ${statusCode}: ${text}`);
    return text;
  } finally {
    await client.destroy();
  }
}

/** Whoever comes does not wait for those before. */
async function openLoop(
  server: ServerProcess,
  { perSecond, seconds }: { readonly perSecond: number; readonly seconds: number },
): Promise<Visit[]> {
  const startedAt = performance.now();
  const visits: Promise<Visit>[] = [];
  for (let at = 0; at < perSecond * seconds; at += 1) {
    await sleep(Math.max(0, startedAt + (at * 1_000) / perSecond - performance.now()));
    visits.push(visit(server));
  }
  return Promise.all(visits);
}

/** An emptied pool. */
async function refill({ api }: ServerProcess, visits: readonly Visit[]): Promise<void> {
  await releaseInSequence(
    api,
    visits.map(({ id }) => id),
  );
  await eventually(
    async () => {
      const stats = (await (await fetch(`${api}/api/v1/pool/stats`)).json()) as { ready: number };
      if (stats.ready <= CLONES) throw new Error(`${stats.ready} are ready`);
    },
    { timeoutMs: 300_000, everyMs: 100 },
  );
}

function figures(what: string, visits: readonly Visit[], goals: Goals = {}): Figure[] {
  const samples = visits.map(({ tookMs }) => tookMs);
  const goal = (atMost: number | undefined): Figure['goal'] => (atMost === undefined ? undefined : { atMost });
  return [
    { ...figure(`visit, ${what}: median`, median(samples), 'ms', goal(goals.median)), samples },
    figure(`visit, ${what}: p95`, percentile(samples, 0.95), 'ms'),
    figure(`visit, ${what}: p99`, percentile(samples, 0.99), 'ms', goal(goals.p99)),
    figure(`visit, ${what}: the acquire in it, median`, median(visits.map(({ acquireMs }) => acquireMs)), 'ms'),
  ];
}

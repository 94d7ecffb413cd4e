import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'undici';
import { findProgram } from '../../src/launcher/child-server.ts';
import { sleep } from '../../src/lifecycle/sleep.ts';
import { launchPodman } from '../../src/runtime/podman/launch.ts';
import { figure, median, percentile, type Figure } from './figures.ts';
import { HELLO, buildHello, helloArchive } from './hello.ts';
import { acquireInSequence } from './load.ts';
import { startServerProcess, type ServerProcess } from './server-process.ts';

/** Visits of each pool after each time. */
const VISITS = 10;
/** Minutes that nobody comes, one after the other. */
const IDLE_MINUTES = (process.env['IDLE_MINUTES'] ?? '0,10').split(',').map(Number);
/** Restores are over, and so is merging. */
const SETTLED_MS = 60_000;
const TOUCHES = { 'looked at every 15 s': '15s', 'left alone': '1h' } as const;

type Touch = keyof typeof TOUCHES;

interface Pages {
  readonly first: number[];
  readonly second: number[];
}

/** Whether stock that nobody touches answers its first visitor later: two pools, visited in turns after each time. */
export async function benchIdleStock(): Promise<Figure[]> {
  if (findProgram('podman') === undefined) {
    console.log('Idle stock is not measured: Podman is not installed (make setup installs it).');
    return [];
  }
  await buildHello();
  const dir = await mkdtemp(join(tmpdir(), 'try-it-now-bench-'));
  await using podman = await launchPodman({ socketPath: join(dir, 'podman.sock') });
  try {
    const file = await helloArchive(dir, podman.socketPath);
    const pool = (touch: Touch, firstPort: number): Promise<ServerProcess> =>
      startServerProcess({
        engine: 'podman',
        socketPath: podman.socketPath,
        target: VISITS * IDLE_MINUTES.length + 1,
        workers: 2,
        portRange: [firstPort, firstPort + 199],
        threshold: 1,
        app: { ...HELLO, memory: 'share', checkpoint: { ...HELLO.checkpoint, file } },
        env: { CHECKPOINT_DIR: join(dir, 'checkpoints'), POOL_HEALTH_INTERVAL: TOUCHES[touch] },
      });
    await using touched = await pool('looked at every 15 s', 25_000);
    await using untouched = await pool('left alone', 25_200);
    await sleep(SETTLED_MS);
    const figures: Figure[] = [];
    for (const minutes of IDLE_MINUTES) {
      await sleep(minutes * 60_000);
      figures.push(...(await visits({ 'looked at every 15 s': touched, 'left alone': untouched }, minutes)));
    }
    return figures;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function visits(pools: Readonly<Record<Touch, ServerProcess>>, minutes: number): Promise<Figure[]> {
  const seen = new Map<string, Pages>();
  for (let at = 0; at < VISITS; at += 1)
    for (const [touch, pool] of Object.entries(pools)) {
      const pages = seen.get(touch) ?? { first: [], second: [] };
      seen.set(touch, pages);
      const { acquired } = await acquireInSequence(pool.api, 1);
      for (const { url } of acquired) {
        pages.first.push(await page(pool, url));
        pages.second.push(await page(pool, url));
      }
    }
  return [...seen].flatMap(([touch, { first, second }]) => {
    const what = `hello after ${minutes} idle minutes, ${touch}`;
    return [
      { ...figure(`${what}: first page, median`, median(first), 'ms'), samples: first },
      figure(`${what}: first page, slowest`, percentile(first, 1), 'ms'),
      { ...figure(`${what}: second page, median`, median(second), 'ms'), samples: second },
    ];
  });
}

/** By a connection of its own. */
async function page({ proxyPort }: ServerProcess, url: string): Promise<number> {
  const startedAt = performance.now();
  const { host, pathname, search } = new URL(url);
  const client = new Client(`http://127.0.0.1:${proxyPort}`);
  try {
    const { statusCode, body } = await client.request({
      method: 'GET',
      path: `${pathname}${search}`,
      headers: { host },
    });
    await body.dump();
    if (statusCode !== 200) throw new Error(`${url} was answered with ${statusCode}`);
    return performance.now() - startedAt;
  } finally {
    await client.destroy();
  }
}

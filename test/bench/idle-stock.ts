import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
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
const SWAP_BYTES = 4 * 2 ** 30;
const POOLS = {
  'looked at every 15 s': { memory: 'share', interval: '15s' },
  'left alone': { memory: 'share', interval: '1h' },
  'in swap': { memory: 'swap', interval: '15s' },
} as const;

type Pool = keyof typeof POOLS;

const run = promisify(execFile);

interface Pages {
  readonly first: number[];
  readonly second: number[];
}

/** Whether stock that nobody touches, or that lies in swap, answers its first visitor later: pools visited in turns. */
export async function benchIdleStock(): Promise<Figure[]> {
  if (findProgram('podman') === undefined) {
    console.log('Idle stock is not measured: Podman is not installed (make setup installs it).');
    return [];
  }
  await buildHello();
  const dir = await mkdtemp(join(tmpdir(), 'try-it-now-bench-'));
  await using podman = await launchPodman({ socketPath: join(dir, 'podman.sock') });
  const swapOff = await swapFile(join(dir, 'swap'));
  try {
    const file = await helloArchive(dir, podman.socketPath);
    const pool = (name: Pool, firstPort: number): Promise<ServerProcess> =>
      startServerProcess({
        engine: 'podman',
        socketPath: podman.socketPath,
        target: VISITS * IDLE_MINUTES.length + 1,
        workers: 2,
        portRange: [firstPort, firstPort + 199],
        threshold: 1,
        app: { ...HELLO, memory: POOLS[name].memory, checkpoint: { ...HELLO.checkpoint, file } },
        env: { CHECKPOINT_DIR: join(dir, 'checkpoints'), POOL_HEALTH_INTERVAL: POOLS[name].interval },
      });
    await using touched = await pool('looked at every 15 s', 25_000);
    await using untouched = await pool('left alone', 25_200);
    await using swapped = await pool('in swap', 25_400);
    const pools = { 'looked at every 15 s': touched, 'left alone': untouched, 'in swap': swapped };
    await sleep(SETTLED_MS);
    const figures: Figure[] = [];
    for (const minutes of IDLE_MINUTES) {
      await sleep(minutes * 60_000);
      figures.push(...(await visits(pools, minutes)));
    }
    return figures;
  } finally {
    await swapOff();
    await rm(dir, { recursive: true, force: true });
  }
}

async function visits(pools: Readonly<Record<Pool, ServerProcess>>, minutes: number): Promise<Figure[]> {
  const memory = await Promise.all(Object.entries(pools).map(([name, pool]) => memoryOf(pool, name, minutes)));
  const seen = new Map<string, Pages>();
  for (let at = 0; at < VISITS; at += 1)
    for (const [name, pool] of Object.entries(pools)) {
      const pages = seen.get(name) ?? { first: [], second: [] };
      seen.set(name, pages);
      const { acquired } = await acquireInSequence(pool.api, 1);
      for (const { url } of acquired) {
        pages.first.push(await page(pool, url));
        pages.second.push(await page(pool, url));
      }
    }
  const pages = [...seen].flatMap(([name, { first, second }]) => {
    const what = whatOf(name, minutes);
    return [
      { ...figure(`${what}: first page, median`, median(first), 'ms'), samples: first },
      figure(`${what}: first page, slowest`, percentile(first, 1), 'ms'),
      { ...figure(`${what}: second page, median`, median(second), 'ms'), samples: second },
    ];
  });
  return [...memory, ...pages];
}

function whatOf(pool: string, minutes: number): string {
  return `hello after ${minutes} idle minutes, ${pool}`;
}

/** On the average of some, as the server tells it. */
async function memoryOf({ api }: ServerProcess, pool: string, minutes: number): Promise<Figure> {
  const text = await (await fetch(`${api}/metrics`)).text();
  const bytes = Number(/^try_it_now_instance_memory_bytes\{.*\} (\S+)$/m.exec(text)?.[1] ?? NaN);
  return figure(`${whatOf(pool, minutes)}: memory of each (PSS)`, bytes / 2 ** 20, 'MiB');
}

/** On the disk, as most hosts have it. */
async function swapFile(file: string): Promise<() => Promise<void>> {
  await run('fallocate', ['--length', String(SWAP_BYTES), file]);
  await chmod(file, 0o600);
  await run('mkswap', [file]);
  await run('swapon', [file]);
  return async () => {
    await run('swapoff', [file]);
  };
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

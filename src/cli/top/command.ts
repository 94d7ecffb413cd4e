import { request } from 'undici';
import { duration, ParseError } from '../../config/parsers.ts';
import { readEnvironment, readTextFile, type Environment } from '../../config/environment.ts';
import { reachableHost } from '../../config/reachable-host.ts';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import { NodesBody } from '../../http/admin/node-schemas.ts';
import { PoolsBody, QueueBody } from '../../http/admin/schemas.ts';
import { deadlineSignal, withDeadline } from '../../lifecycle/deadline.ts';
import { sleep } from '../../lifecycle/sleep.ts';
import { untilAborted } from '../../lifecycle/until-aborted.ts';
import { AdminClient } from '../admin-client.ts';
import { frame, type Snapshot, type View } from './frame.ts';
import { readSamples } from './samples.ts';
import { openScreen } from './screen.ts';

export interface TopOptions {
  readonly interval: string;
  readonly once?: true;
}

/** Longer than a server needs that is busy; a hung one shows as unavailable. */
const READ_WITHIN_MS = 3_000;
const INTERVAL = duration('200ms', '1h', '1s');
/** What goes away by itself. Everything else, such as a wrong key, ends the view. */
const UNAVAILABLE: readonly string[] = ['admin_unavailable', 'store_unavailable', 'queue_unavailable', 'shutting_down'];

/** Live, or one frame. Throws invalid_request without a terminal, and what the admin API refuses with. */
export async function top(env: Environment, { interval, once }: TopOptions): Promise<void> {
  const intervalMs = INTERVAL.parse(interval);
  if (intervalMs instanceof ParseError)
    throw new TryItNowError(
      'invalid_request',
      `--interval ${interval} is no duration from 200ms to 1h; give one such as 2s`,
    );
  const client = new AdminClient(env);
  const { values } = readEnvironment(env, readTextFile);
  const metricsUrl = `http://${reachableHost(values.SERVER_HOST)}:${values.SERVER_PORT}/metrics`;
  const read = (): Promise<Snapshot> => within(readSnapshot(client, metricsUrl), client.url);
  if (once === true) {
    const before = await read();
    await sleep(intervalMs);
    const lines = frame(
      { url: client.url, before, now: await read(), trouble: undefined, intervalMs },
      process.stdout.columns || 80,
      Infinity,
    );
    console.log(lines.join('\n'));
    return;
  }
  if (!process.stdout.isTTY || !process.stdin.isTTY)
    throw new TryItNowError('invalid_request', 'There is no terminal to draw on; --once prints one frame');
  await watch(read, { url: client.url, intervalMs });
}

async function readSnapshot(client: AdminClient, metricsUrl: string): Promise<Snapshot> {
  const [{ pools }, { nodes }, queue, samples] = await Promise.all([
    client.ask(PoolsBody, 'GET', '/pools'),
    client.ask(NodesBody, 'GET', '/nodes'),
    client.ask(QueueBody, 'GET', '/queue'),
    metricsAt(metricsUrl),
  ]);
  return { atMs: Date.now(), pools, nodes, queue, samples };
}

/** The pools can be seen without them, for instance through a tunnel to the admin API alone. */
async function metricsAt(url: string): Promise<Snapshot['samples']> {
  try {
    const { statusCode, body } = await request(url, { signal: deadlineSignal(READ_WITHIN_MS) });
    return readSamples(statusCode === 200 ? await body.text() : '');
  } catch {
    return new Map();
  }
}

function within<T>(work: Promise<T>, url: string): Promise<T> {
  return withDeadline(READ_WITHIN_MS, work, (): never => {
    throw new TryItNowError('admin_unavailable', `${url} takes longer than ${READ_WITHIN_MS / 1_000} s`);
  });
}

async function watch(
  read: () => Promise<Snapshot>,
  { url, intervalMs }: Pick<View, 'url' | 'intervalMs'>,
): Promise<void> {
  let scene: View = { url, intervalMs, before: undefined, now: undefined, trouble: undefined };
  const screen = openScreen((columns, rows) => frame(scene, columns, rows));
  try {
    while (!screen.left.aborted) {
      const startedAt = performance.now();
      try {
        const now = await untilAborted(read(), screen.left);
        scene = { ...scene, before: scene.trouble === undefined ? scene.now : undefined, now, trouble: undefined };
      } catch (error) {
        if (error === screen.left.reason) break;
        if (!(error instanceof TryItNowError) || !UNAVAILABLE.includes(error.code)) throw error;
        scene = { ...scene, trouble: { sinceMs: scene.trouble?.sinceMs ?? Date.now(), why: describeError(error) } };
      }
      screen.draw();
      await sleep(Math.max(0, intervalMs - (performance.now() - startedAt)), screen.left);
    }
  } finally {
    screen.close();
  }
  // A reading of a server that hangs may still be under way.
  setTimeout(() => process.exit(), 0);
}

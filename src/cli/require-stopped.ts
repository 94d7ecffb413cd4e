import { request } from 'undici';
import { hasActiveWorkers } from '../composition/owned-resources.ts';
import type { Config } from '../config/config.ts';
import { reachableHost } from '../config/reachable-host.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { deadlineSignal } from '../lifecycle/deadline.ts';

const HEALTH_TIMEOUT_MS = 2_000;

/**
 * What a running server sees vanish it would make again at once, for visitors who have just lost theirs. Throws
 * server_running, whose message begins with what was left `untouched`.
 */
export async function requireStopped(
  { server, ...config }: Config,
  of: 'this node' | 'every node',
  untouched: string,
  log: Log,
): Promise<void> {
  const url = `http://${reachableHost(server.host)}:${server.port}/health`;
  const alive = (await answers(url))
    ? `a server answers at ${url}`
    : (await hasActiveWorkers({ server, ...config }, of, log)) === true
      ? `workers of ${of} still ask NATS for tasks`
      : undefined;
  if (alive === undefined) return;
  throw new TryItNowError(
    'server_running',
    `${untouched}: ${alive}, and would refill the pool at once. Stop it first (systemctl stop ` +
      "try-it-now try-it-now-worker), or say --force if it is not this deployment's",
  );
}

async function answers(url: string): Promise<boolean> {
  try {
    const { body } = await request(url, {
      headersTimeout: HEALTH_TIMEOUT_MS,
      signal: deadlineSignal(HEALTH_TIMEOUT_MS),
    });
    await body.dump();
    return true;
  } catch (error) {
    // One that takes the connection and says nothing is there, and hangs.
    return error instanceof Error && error.name === 'TimeoutError';
  }
}

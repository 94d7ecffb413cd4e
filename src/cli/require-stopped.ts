import { request } from 'undici';
import { hasActiveWorkers, runningProcesses } from '../composition/owned-resources.ts';
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
  config: Config,
  of: 'this node' | 'every node',
  untouched: string,
  log: Log,
): Promise<void> {
  const alive = await whatRuns(config, of, log);
  if (alive === undefined) return;
  throw new TryItNowError(
    'server_running',
    `${untouched}: ${alive}, and would refill the pool at once. Stop it first (systemctl stop ` +
      "try-it-now try-it-now-worker), or say --force if it is not this deployment's",
  );
}

async function whatRuns(config: Config, of: 'this node' | 'every node', log: Log): Promise<string | undefined> {
  const url = `http://${reachableHost(config.server.host)}:${config.server.port}/health`;
  if (await answers(url)) return `a server answers at ${url}`;
  const running = of === 'every node' ? ((await runningProcesses(config, log)) ?? []) : [];
  if (running.length > 0)
    return running.map(({ role, host, pid }) => `the ${role} on ${host} (process ${pid}) ran a moment ago`).join(', ');
  if ((await hasActiveWorkers(config, of, log)) === true) return `workers of ${of} still ask NATS for tasks`;
  return undefined;
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

import { TryItNowError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { sleep } from '../lifecycle/sleep.ts';
import type { NodeRegistry } from './interfaces/node-registry.ts';

export interface OwnNameDeps {
  readonly registry: Pick<NodeRegistry, 'node'>;
  readonly node: { readonly name: string; readonly address: string };
  readonly host: string;
  /** Of the kernel that this process runs on; undefined where it does not tell. */
  readonly boot: string | undefined;
  readonly log: Log;
  /** Aborted when nothing is to be started any more. */
  readonly stopping?: AbortSignal | undefined;
  readonly lookMs?: number;
}

const LOOK_MS = 500;

/**
 * Sees to it that no other host goes by this node's name, such as one that this was cloned from: each would take what
 * the other has for lost, and end it. A heartbeat from another kernel may also be this host's own from before a reboot,
 * so it is waited for the next one, or for its end. Throws invalid_config, store_unavailable.
 */
export async function requireOwnName({
  registry,
  node,
  host,
  boot,
  log,
  stopping,
  lookMs = LOOK_MS,
}: OwnNameDeps): Promise<void> {
  if (boot === undefined) return;
  let earlierAgeMs: number | undefined;
  for (;;) {
    const { heartbeat, heartbeatAgeMs } = (await registry.node(node.name)) ?? {};
    // Older versions do not say where they run.
    if (heartbeat?.boot === undefined || heartbeatAgeMs === undefined || heartbeat.boot === boot) return;
    if (earlierAgeMs === undefined)
      log.warn(
        { node: node.name, host: heartbeat.host },
        'Something runs under the name of this node; waiting for its end',
      );
    else if (heartbeatAgeMs < earlierAgeMs)
      throw new TryItNowError(
        'invalid_config',
        `NODE_NAME=${node.name} is the name of another host already, ${heartbeat.host ?? 'unnamed'} at ` +
          `${heartbeat.address}, which is alive; this one, ${host} at ${node.address}, needs a name of its own, or ` +
          'each would end the visits on the other',
      );
    earlierAgeMs = heartbeatAgeMs;
    await sleep(lookMs, stopping);
    if (stopping?.aborted === true) return;
  }
}

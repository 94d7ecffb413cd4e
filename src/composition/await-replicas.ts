import type { Config } from '../config/config.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import type { RunningProcess } from '../domain/running-process.ts';
import { createWaitingServer } from '../http/worker-server.ts';
import { sleep } from '../lifecycle/sleep.ts';
import type { Store } from '../store/store.ts';
import type { Metrics } from '../telemetry/metrics.ts';

const LOOK_EVERY_MS = 1_000;

export interface AwaitReplicasOptions {
  readonly config: Config;
  readonly role: RunningProcess['role'];
  readonly log: Log;
  readonly store: Pick<Store, 'lackOfReplicas'>;
  readonly metrics: Metrics;
  /** Told to stop meanwhile. */
  readonly stopping?: AbortSignal | undefined;
}

/**
 * A Valkey that has too few replicas gets them when their hosts are back: until then this process says that it is not
 * ready, where it will answer later. Throws shutting_down when it is told to stop, and store_unavailable at once where
 * Valkey takes no changes for other reasons.
 */
export async function awaitReplicas({ config, role, log, store, metrics, stopping }: AwaitReplicasOptions) {
  let lack = await store.lackOfReplicas();
  if (lack === undefined) return;
  log.warn({ reason: lack.message }, 'Waiting until Valkey takes changes; nothing is done until then');
  const http = await createWaitingServer({
    log,
    publicUrl: config.server.publicUrl,
    metrics,
    observer: metrics,
    ready: () => Promise.reject(lack ?? new TryItNowError('shutting_down', 'The server is about to begin')),
    ...(role === 'server' ? { name: 'HTTP server', variable: 'SERVER_PORT' } : {}),
  });
  try {
    await http.listen(role === 'server' ? config.server : config.worker.metrics);
    while (lack !== undefined) {
      await sleep(LOOK_EVERY_MS, stopping);
      if (stopping?.aborted === true)
        throw new TryItNowError('shutting_down', 'Told to stop while Valkey had too few replicas');
      lack = await store.lackOfReplicas().catch(stillAway);
    }
    log.info({}, 'Valkey takes changes');
  } finally {
    await http.close(0);
  }
}

/** Meanwhile another may become the primary. */
function stillAway(error: unknown): TryItNowError {
  if (error instanceof TryItNowError && error.code === 'store_unavailable') return error;
  throw error;
}

import type { Log } from '../domain/log.ts';
import { createListener, type HttpServer } from './listener.ts';
import type { HttpObserver } from './observation.ts';
import { watchedRoutes, type MetricsSource } from './routes/operations.ts';
import { ProblemBody } from './schemas/problem.ts';

export interface WorkerServerOptions {
  readonly log: Log;
  /** Where people read about a problem's code: the server's pages. */
  readonly publicUrl: string;
  readonly metrics: MetricsSource;
  /** Throws why no task is worked on. */
  readonly ready: () => Promise<void>;
  readonly observer: HttpObserver;
}

/** What a worker says of itself; it has no visitors and no API. Nothing listens yet. */
export async function createWorkerServer(options: WorkerServerOptions): Promise<HttpServer> {
  const { log, publicUrl, metrics, ready, observer } = options;
  const listener = createListener({
    log,
    name: 'worker',
    variable: 'WORKER_METRICS_ADDR',
    catalogue: 'docs/fleet.md',
    typeBase: `${publicUrl}/problems/`,
    trustedProxies: [],
    observer,
    limits: undefined,
  });
  listener.app.addSchema(ProblemBody);
  watchedRoutes(listener.app, { metrics, ready, leaving: listener.leaving });
  await listener.app.ready();
  return listener;
}

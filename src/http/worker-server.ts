import type { Log } from '../domain/log.ts';
import type { App } from './context.ts';
import { createListener, type HttpServer } from './listener.ts';
import type { HttpObserver } from './observation.ts';
import { watchedRoutes, type MetricsSource } from './routes/operations.ts';
import { ProblemBody } from './schemas/problem.ts';

export interface WorkerServerOptions {
  readonly log: Log;
  /** Who cannot listen, and which setting moves it, where that is not the worker. */
  readonly name?: string;
  readonly variable?: string;
  /** Where people read about a problem's code: the server's pages. */
  readonly publicUrl: string;
  readonly metrics: MetricsSource;
  /** Throws why no task is worked on. */
  readonly ready: () => Promise<void>;
  readonly observer: HttpObserver;
}

/** What a worker says of itself; it has no visitors and no API. Nothing listens yet. */
export async function createWorkerServer(options: WorkerServerOptions): Promise<HttpServer> {
  return create(options);
}

/** What a server or worker says that cannot begin yet: whatever else is asked is answered with why it is not ready. */
export async function createWaitingServer(options: WorkerServerOptions): Promise<HttpServer> {
  return create(options, (app) =>
    app.addHook('onRequest', async ({ url }) => {
      if (url !== '/health' && url !== '/metrics') await options.ready();
    }),
  );
}

async function create(options: WorkerServerOptions, prepare?: (app: App) => unknown): Promise<HttpServer> {
  const { log, publicUrl, metrics, ready, observer, name = 'worker', variable = 'WORKER_METRICS_ADDR' } = options;
  const listener = createListener({
    log,
    name,
    variable,
    catalogue: 'docs/fleet.md',
    typeBase: `${publicUrl}/problems/`,
    trustedProxies: [],
    observer,
    limits: undefined,
  });
  listener.app.addSchema(ProblemBody);
  prepare?.(listener.app);
  watchedRoutes(listener.app, { metrics, ready, leaving: listener.leaving });
  await listener.app.ready();
  return listener;
}

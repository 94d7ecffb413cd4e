import { eventDepths } from './events.ts';
import type { Config } from '../config/config.ts';
import { systemClock } from '../domain/clock.ts';
import { TryItNowError } from '../domain/errors.ts';
import { NO_NODE } from '../domain/node.ts';
import type { RunningProcess } from '../domain/running-process.ts';
import type { Catalogue } from '../domain/template.ts';
import type { ContainerRuntime } from '../pool/interfaces/container-runtime.ts';
import { listImages } from '../pool/operate-images.ts';
import { listNodes } from '../pool/operate-nodes.ts';
import { poolStatuses } from '../pool/pool-status.ts';
import type { CaddyProxy } from '../proxy/caddy-proxy.ts';
import type { QueueConnection } from '../queue/connection.ts';
import { CopiesWatch } from '../queue/copies.ts';
import { queueDepth } from '../queue/depth.ts';
import type { Store } from '../store/store.ts';
import type { LogLosses } from '../telemetry/log-writer.ts';
import type { SpanCounts } from '../telemetry/tracing/tracing.ts';
import { Metrics } from '../telemetry/metrics.ts';
import type { QueueDepths, ScrapeSources } from '../telemetry/scraped-gauges.ts';

interface MetricsDeps {
  readonly config: Config;
  readonly role: RunningProcess['role'];
  readonly version: string;
  readonly logLosses?: LogLosses;
  readonly spans: SpanCounts;
  readonly store: Store;
  readonly catalogue: Catalogue;
  readonly connection: QueueConnection;
  readonly proxy: CaddyProxy;
  readonly runtime: Pick<ContainerRuntime, 'list'>;
}

/** Of a server: what it counts, and how the system stands. Of a worker: what it counts, and what it depends on. */
export function createMetrics(deps: MetricsDeps): Metrics {
  const { config, role, version, logLosses, spans, store, catalogue, runtime } = deps;
  const engine = config.node.name === NO_NODE ? {} : { engine: (): Promise<unknown> => runtime.list() };
  const metrics = new Metrics({
    templates: namesOf(catalogue),
    webhooks: config.webhooks.map(({ name }) => name),
    version,
    logLosses,
    spans,
    sources: {
      leads: () => store.turns.held(),
      ...(role === 'server'
        ? { ...ofTheSystem(deps), dependencies: { caddy: () => deps.proxy.ping(), ...engine } }
        : { dependencies: { valkey: () => store.ping(), nats: () => requireQueue(deps.connection), ...engine } }),
    },
  });
  catalogue.subscribe(() => metrics.offer(namesOf(catalogue)));
  return metrics;
}

function namesOf(catalogue: Catalogue): string[] {
  return catalogue.all().map(({ name }) => name);
}

/** Throws queue_unavailable while NATS does not answer. */
export function requireQueue({ connected, url }: QueueConnection): Promise<void> {
  return connected
    ? Promise.resolve()
    : Promise.reject(new TryItNowError('queue_unavailable', `NATS at ${url} does not answer; tasks wait for it`));
}

/** Every server tells the same of it. */
function ofTheSystem({ config, store, catalogue, connection }: MetricsDeps): ScrapeSources {
  const copies = new CopiesWatch(connection);
  return {
    stats: () => store.inventory.stats(catalogue.all()),
    statuses: () => poolStatuses({ ...store, clock: systemClock }, namesOf(catalogue)),
    queue: () => depths(connection),
    events: eventDepths(config.webhooks, store, connection),
    replication: async () => ({
      sentinels: config.valkey.sentinel?.endpoints.length ?? 0,
      lagsMs: (await store.replication()).replicas.flatMap(({ online, lagMs }) => (online ? [lagMs] : [])),
    }),
    fleet: async () => ({
      nodes: await listNodes({ ...store, catalogue }),
      templates: namesOf(catalogue),
      placement: config.placement,
    }),
    copies: () => copies.look(),
    images: async () =>
      new Map(
        (await listImages({ ...store, catalogue, clock: systemClock }))
          .filter(({ state }) => state !== 'unchecked')
          .map(({ name, refused }) => [name, refused?.why === 'failed']),
      ),
    revisions: async () =>
      new Set(
        (await store.processes.running()).flatMap(({ catalogue: by }) => (by === undefined ? [] : [by.revision])),
      ),
  };
}

async function depths(connection: QueueConnection): Promise<QueueDepths> {
  const depth = await queueDepth(connection);
  return {
    consumers: new Map(
      depth.consumers.map(({ consumer, pending, outstanding, redelivered }) => [
        consumer,
        { pending, inFlight: outstanding, redelivered },
      ]),
    ),
    oldestAgeMs: depth.oldestAtMs === undefined ? 0 : Math.max(0, systemClock.now() - depth.oldestAtMs),
    dead: new Map([['PROVISIONING_DEAD', depth.dead]]),
  };
}

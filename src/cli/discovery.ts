import { createServer } from 'node:http';
import { once } from 'node:events';
import type { Environment } from '../config/environment.ts';
import { loadConfig } from '../config/load.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { untilStopped } from '../lifecycle/signals.ts';
import { startDiscovery, type Discovery } from '../proxy/discovery/discovery.ts';
import { DNS_OUTCOMES } from '../proxy/discovery/ports.ts';
import { ValkeyHostnameSource } from '../store/hostname-source.ts';
import { DiscoveryMetrics } from '../telemetry/discovery-metrics.ts';
import { createLogger } from '../telemetry/logger.ts';
import { packageVersion } from './package-version.ts';

/** Answers until told to stop; needs Valkey only for what it does not know yet. Throws invalid_config, port_taken. */
export async function discovery(env: Environment): Promise<void> {
  const { config } = loadConfig(env);
  const { metrics: metricsAddress, snapshotFile, ...listen } = config.proxy.discovery;
  const log = createLogger(config.log.level).child({ part: 'discovery' });
  const stopSignal = untilStopped(log);
  const releasers = new Releasers();
  try {
    const source = new ValkeyHostnameSource({ ...config.valkey, log });
    releasers.push('source', () => source.close());
    const running: { discovery?: Discovery } = {};
    const metrics = new DiscoveryMetrics({
      version: packageVersion(), outcomes: DNS_OUTCOMES,
      stats: () => running.discovery?.stats() ?? { hostnames: 0, inStep: false, resyncs: 0 },
    });
    const started = await startDiscovery({ listen, source, log, observer: metrics, ...(snapshotFile === undefined ? {} : { snapshotFile }) });
    running.discovery = started;
    releasers.push('responder', () => started.close());
    releasers.push('metrics', await serveMetrics(metrics, metricsAddress));
    log.info({ signal: await stopSignal }, 'Shutting down');
  } finally {
    await releasers.releaseAll(log);
  }
}

/** Plain node:http: the whole of Fastify would take longer to load than this process takes to start. */
async function serveMetrics(metrics: { readonly contentType: string; text(): Promise<string> }, { host, port }: { readonly host: string; readonly port: number }): Promise<() => void> {
  const server = createServer((request, response) => {
    if (request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    metrics.text().then(
      (text) => response.writeHead(200, { 'content-type': metrics.contentType }).end(text),
      (error: unknown) => response.writeHead(500).end(describeError(error)),
    );
  });
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new TryItNowError('port_taken', `The discovery process cannot serve its metrics on ${host}:${port} (${describeError(error)}); set DISCOVERY_METRICS_ADDR to another address`, { cause: error });
  }
  return () => server.close();
}

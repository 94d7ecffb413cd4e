import { loadDiscoveryConfig } from '../config/discovery-config.ts';
import type { Environment } from '../config/environment.ts';
import { comeFirst } from '../lifecycle/priority.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { untilStopped } from '../lifecycle/signals.ts';
import { startDiscovery, type Discovery } from '../proxy/discovery/discovery.ts';
import { startHttpListener } from '../proxy/discovery/http-listener.ts';
import { DNS_OUTCOMES } from '../proxy/discovery/interfaces/hostname-source.ts';
import { greet } from '../runtime/readiness/greet.ts';
import { ValkeyHostnameSource } from '../store/hostname-source.ts';
import { DiscoveryMetrics } from '../telemetry/discovery-metrics.ts';
import { LogWriter } from '../telemetry/log-writer.ts';
import { createLogger } from '../telemetry/logger.ts';
import { packageVersion } from './package-version.ts';

/** Answers until told to stop; needs Valkey only for what it does not know yet. Throws invalid_config, port_taken. */
export async function discovery(env: Environment): Promise<void> {
  const config = loadDiscoveryConfig(env);
  const { metrics: httpAddress, snapshotFile, ...listen } = config.discovery;
  await comeFirst();
  const logWriter = new LogWriter();
  const log = createLogger(config.log.level, logWriter).child({ part: 'discovery' });
  const stopSignal = untilStopped(log);
  const releasers = new Releasers();
  try {
    const source = new ValkeyHostnameSource({ ...config.valkey, log });
    releasers.push('source', () => source.close());
    const running: { discovery?: Discovery } = {};
    const metrics = new DiscoveryMetrics({
      version: packageVersion(),
      logLosses: logWriter,
      outcomes: DNS_OUTCOMES,
      stats: () => running.discovery?.stats() ?? { hostnames: 0, inStep: false, resyncs: 0 },
    });
    const inherited = inheritedSocket(env);
    const started = await startDiscovery({
      listen: inherited === undefined ? listen : { ...listen, inherited },
      source,
      greet,
      log,
      observer: metrics,
      useReports: source.useReports,
      ...(snapshotFile === undefined ? {} : { snapshotFile }),
    });
    running.discovery = started;
    const { host, port } = started.address;
    if (host !== listen.host || port !== listen.port)
      log.warn(
        { host, port },
        `The socket that was handed over is not DISCOVERY_ADDR (${listen.host}:${listen.port}), where the proxy ` +
          'asks; make them the same',
      );
    releasers.push('responder', () => started.close());
    releasers.push(
      'http',
      await startHttpListener({
        listen: httpAddress,
        metrics,
        ask: {
          baseDomain: config.baseDomain,
          startPageHost: config.startPageHost,
          isLive: (label) => started.isLive(label),
        },
      }),
    );
    log.info({ signal: await stopSignal }, 'Shutting down');
  } finally {
    await releasers.releaseAll(log);
  }
}

/** sd_listen_fds(3): the first descriptor that systemd's socket activation hands over is 3. */
function inheritedSocket(env: Environment): { readonly fd: number } | undefined {
  return env['LISTEN_PID'] === String(process.pid) && env['LISTEN_FDS'] === '1' ? { fd: 3 } : undefined;
}

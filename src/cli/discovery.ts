import type { Environment } from '../config/environment.ts';
import { loadConfig } from '../config/load.ts';
import { untilStopped } from '../lifecycle/signals.ts';
import { startDiscovery } from '../proxy/discovery/discovery.ts';
import { ValkeyHostnameSource } from '../store/hostname-source.ts';
import { createLogger } from '../telemetry/logger.ts';

/** Answers until told to stop; needs Valkey only for what it does not know yet. */
export async function discovery(env: Environment): Promise<void> {
  const { config } = loadConfig(env);
  const log = createLogger(config.log.level).child({ part: 'discovery' });
  const stopSignal = untilStopped(log);
  const source = new ValkeyHostnameSource({ ...config.valkey, log });
  const running = await startDiscovery({ listen: config.proxy.discovery, source, log });
  const signal = await stopSignal;
  log.info({ signal }, 'Shutting down');
  await running.close();
  source.close();
}

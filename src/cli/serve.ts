import { startApp, type Role } from '../app.ts';
import type { Environment } from '../config/environment.ts';
import { loadConfig } from '../config/load.ts';
import { untilStopped } from '../lifecycle/signals.ts';
import { createLogger } from '../telemetry/logger.ts';
import { packageVersion } from './package-version.ts';

/** Runs until told to stop. Throws invalid_config before anything is started, and what a missing part throws. */
export async function serve(env: Environment, role: Role): Promise<void> {
  const { config, warnings } = loadConfig(env);
  const log = createLogger(config.log.level);
  for (const warning of warnings) log.warn({}, warning);
  const stopSignal = untilStopped(log);
  const app = await startApp({ config, log, role, version: packageVersion() });
  const signal = await stopSignal;
  log.info({ signal }, 'Shutting down');
  await app.stop();
  log.info({}, 'Shut down');
}

import { startApp } from '../composition/app.ts';
import type { Role } from '../composition/app-parts.ts';
import type { Environment } from '../config/environment.ts';
import { rereadTemplates } from '../config/reread-templates.ts';
import { TryItNowError } from '../domain/errors.ts';
import { comeFirst } from '../lifecycle/priority.ts';
import { Trigger } from '../lifecycle/trigger.ts';
import { onHangUp, untilStopped } from '../lifecycle/signals.ts';
import { LogWriter } from '../telemetry/log-writer.ts';
import { createLogger } from '../telemetry/logger.ts';
import { openTracing } from '../telemetry/tracing/open-tracing.ts';
import { settingsFor } from './check-settings.ts';
import { packageVersion } from './package-version.ts';

/**
 * For what ends by itself; what still waits for the answer of a part that hangs would keep the process
 * for as long as that.
 */
const LINGER_MS = 500;

/**
 * Runs until told to stop. Throws invalid_config before anything is started, or once another host has the node's name,
 * and what a missing part throws.
 */
export async function serve(env: Environment, role: Role): Promise<void> {
  const { config, warnings } = settingsFor(env, role);
  const logWriter = new LogWriter();
  const version = packageVersion();
  const tracing = await openTracing({
    settings: config.tracing,
    from: { version, role, node: config.node.name, deployment: config.deployment },
    log: createLogger(config.log.level, logWriter),
  });
  const log = createLogger(config.log.level, logWriter, tracing.ids);
  for (const warning of warnings) log.warn({}, warning);
  await comeFirst();
  const stopping = new AbortController();
  const stopSignal = untilStopped(log).finally(() => stopping.abort());
  const hangUps = new Trigger();
  const early = { hungUp: false };
  hangUps.subscribe(() => (early.hungUp = true));
  onHangUp(() => hangUps.fire());
  const starting = startApp({
    config,
    log,
    logLosses: logWriter,
    tracing,
    role,
    readTemplates: () => rereadTemplates(env, config, { serves: role === 'server' }),
    version,
    stopping: stopping.signal,
  });
  // What does not come up because it is told to stop has stopped.
  const app = await starting.catch((error: unknown) => {
    if (error instanceof TryItNowError && error.code === 'shutting_down') return undefined;
    exitSoon();
    throw error;
  });
  if (app !== undefined) {
    if (early.hungUp) void app.reloadTemplates();
    hangUps.subscribe(() => void app.reloadTemplates());
  }
  const end = await Promise.race([stopSignal, ...(app === undefined ? [] : [app.nameTaken])]);
  const nameTaken = end instanceof TryItNowError ? end : undefined;
  if (nameTaken === undefined) log.info({ signal: end }, 'Shutting down');
  else log.fatal({ reason: nameTaken.message }, 'Another host has the name of this node; shutting down');
  await app?.stop();
  await tracing.close();
  log.info({}, 'Shut down');
  exitSoon();
  if (nameTaken !== undefined) throw nameTaken;
  // What a hung part still owes an answer would keep the process for as long as that is waited for.
  process.exit();
}

/** Whatever is left that would keep the process: whoever looks after it starts it again once it has ended. */
function exitSoon(): void {
  setTimeout(() => process.exit(), LINGER_MS).unref();
}

import type { Environment } from '../config/environment.ts';
import { loadRelayConfig } from '../config/relay-config.ts';
import { startRelay } from '../database/relay.ts';
import { DATABASE_SERVERS } from '../domain/database.ts';
import { TryItNowError } from '../domain/errors.ts';
import { comeFirst } from '../lifecycle/priority.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { untilStopped } from '../lifecycle/signals.ts';
import { LogWriter } from '../telemetry/log-writer.ts';
import { createLogger } from '../telemetry/logger.ts';

/** Passes connections of instances on until told to stop; needs only the servers. Throws invalid_config, port_taken. */
export async function databaseRelay(env: Environment): Promise<void> {
  const config = loadRelayConfig(env);
  if (config.relays.length === 0)
    throw new TryItNowError(
      'invalid_config',
      'There is nothing to pass on: neither DATABASE_SERVER_URL nor POSTGRES_SERVER_URL names a database ' +
        'server that nodes share',
    );
  await comeFirst();
  const log = createLogger(config.log.level, new LogWriter()).child({ part: 'database relay' });
  const stopSignal = untilStopped(log);
  const releasers = new Releasers();
  try {
    for (const { engine, ...places } of config.relays) {
      const { title } = DATABASE_SERVERS[engine];
      const relay = await startRelay({ title, ...places, log });
      releasers.push(title, () => relay[Symbol.asyncDispose]());
    }
    log.info({ signal: await stopSignal }, 'Shutting down');
  } finally {
    await releasers.releaseAll(log);
  }
}

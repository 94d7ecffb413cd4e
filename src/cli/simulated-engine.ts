import type { Environment } from '../config/environment.ts';
import { loadConfig } from '../config/load.ts';
import { TryItNowError } from '../domain/errors.ts';
import { untilStopped } from '../lifecycle/signals.ts';
import { serveSimulatedEngine } from '../runtime/simulated/engine-server.ts';
import { createLogger } from '../telemetry/logger.ts';

/** Runs until told to stop; its containers end with it. Throws invalid_config, port_taken. */
export async function simulatedEngine(env: Environment): Promise<void> {
  const { config } = loadConfig(env);
  const { simulated: socket } = config.containers.sockets;
  if (socket === undefined)
    throw new TryItNowError(
      'invalid_config',
      'SIMULATED_SOCKET is not set: it names the socket on which the simulated engine answers, such as ' +
        'SIMULATED_SOCKET=/run/try-it-now/simulated.sock',
    );
  const log = createLogger(config.log.level).child({ part: 'simulated engine' });
  const stopSignal = untilStopped(log);
  const engine = await serveSimulatedEngine(socket);
  log.info({ socket }, 'The simulated engine answers');
  log.info({ signal: await stopSignal }, 'Shutting down');
  await engine.close();
}

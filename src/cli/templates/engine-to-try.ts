import { join } from 'node:path';
import type { Logger } from 'pino';
import { chooseEngine } from '../../composition/engines.ts';
import type { Environment } from '../../config/environment.ts';
import { loadConfig } from '../../config/load.ts';
import { findProgram } from '../../launcher/child-server.ts';
import type { Releasers } from '../../lifecycle/releasers.ts';
import { CONTAINER_ENGINES } from '../../runtime/engines.ts';

/**
 * The settings that lead to a container engine: none where one answers already, else those of a service that is
 * started for as long as the command runs. Empty too where no engine is installed.
 */
export async function engineToTry(
  env: Environment,
  folder: string,
  log: Logger,
  releasers: Releasers,
): Promise<Environment> {
  const { config } = loadConfig({ ...env, TEMPLATES_FILE: undefined, CHECKPOINT_PATH: undefined });
  const quiet = log.child({}, { level: 'silent' });
  if ((await chooseEngine(config, quiet)).runsContainers && config.containers.mode === 'auto') return {};
  for (const { name, socket, load } of CONTAINER_ENGINES) {
    if (config.containers.mode !== 'auto' && config.containers.mode !== name) continue;
    const { behaviour } = await load();
    if ((await behaviour.probe(config.containers.sockets[name])).usable) return {};
    const { launch } = behaviour;
    if (launch === undefined || findProgram(launch.program) === undefined) continue;
    const socketPath = join(folder, `${name}.sock`);
    const { server } = await launch.start({ socketPath });
    releasers.push(name, () => server.stop());
    return { [socket.variable]: socketPath };
  }
  return {};
}

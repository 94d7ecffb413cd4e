import { join } from 'node:path';
import type { Logger } from 'pino';
import { chooseEngine } from '../../composition/engines.ts';
import type { Environment } from '../../config/environment.ts';
import { loadConfig } from '../../config/load.ts';
import { TryItNowError } from '../../domain/errors.ts';
import { findProgram } from '../../launcher/child-server.ts';
import type { Releasers } from '../../lifecycle/releasers.ts';
import { CONTAINER_ENGINES } from '../../runtime/engines.ts';
import { quoted } from '../up/environment-file.ts';
import { mayRunContainers } from '../up/may-run-containers.ts';

/**
 * The settings that lead to a container engine: none where one answers already, else those of a service that is
 * started for as long as the command runs. Empty too where no engine is installed. Throws engine_unavailable where one
 * is that this user may not start.
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
  const forRoot: string[] = [];
  for (const { name, title, socket, load } of CONTAINER_ENGINES) {
    if (config.containers.mode !== 'auto' && config.containers.mode !== name) continue;
    const { behaviour } = await load();
    if ((await behaviour.probe(config.containers.sockets[name])).usable) return {};
    const { launch } = behaviour;
    if (launch === undefined || findProgram(launch.program) === undefined) continue;
    if (launch.needsRoot && !mayRunContainers()) {
      forRoot.push(title);
      continue;
    }
    const socketPath = join(folder, `${name}.sock`);
    const { server } = await launch.start({ socketPath });
    releasers.push(name, () => server.stop());
    return { [socket.variable]: socketPath };
  }
  if (forRoot.length > 0)
    throw new TryItNowError(
      'engine_unavailable',
      `No engine that you may use answers here, and only root may start ${forRoot.join(' or ')} for instances: ` +
        `sudo ${[process.execPath, ...process.argv.slice(1)].map(asTyped).join(' ')}`,
    );
  return {};
}

function asTyped(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : quoted(word);
}

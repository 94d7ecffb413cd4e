import type { Role } from '../composition/app-parts.ts';
import { loadDiscoveryConfig } from '../config/discovery-config.ts';
import type { Environment } from '../config/environment.ts';
import { loadConfig, type LoadedConfig } from '../config/load.ts';
import { TryItNowError } from '../domain/errors.ts';
import { NO_NODE } from '../domain/node.ts';

/** What a server or worker is started with. Throws invalid_config. */
export function settingsFor(env: Environment, role: Role): LoadedConfig {
  const loaded = loadConfig(env, undefined, { serves: role === 'server' });
  const { node, containers } = loaded.config;
  if (role === 'worker' && node.name === NO_NODE)
    throw new TryItNowError(
      'invalid_config',
      `CONTAINER_MODE is ${containers.mode}, with which a worker could do nothing; name the engine of this host, ` +
        'such as CONTAINER_MODE=podman, or run `try-it-now serve`, which needs none',
    );
  return loaded;
}

/**
 * Says of the settings, and of the files they name, what the process would at its start, and starts nothing: asked of a
 * program before it takes the place of another. Throws invalid_config.
 */
export function checkSettings(env: Environment, process: Role | 'discovery'): void {
  if (process === 'discovery') {
    loadDiscoveryConfig(env);
    console.log('The settings are sound.');
    return;
  }
  const { config, warnings } = settingsFor(env, process);
  for (const warning of warnings) console.warn(`Note: ${warning}`);
  const names = config.templates.map(({ name }) => name);
  console.log(`The settings are sound; templates: ${names.join(', ')}.`);
}

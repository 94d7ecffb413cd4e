import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ValkeyAccess } from '../store/valkey-access.ts';
import type { LogLevel } from '../telemetry/logger.ts';
import type { Config } from './config.ts';
import { readEnvironment, readTextFile, type Environment, type FileReader } from './environment.ts';
import { invalidConfig } from './invalid-config.ts';
import { VALKEY_VARIABLES, readValkeySettings } from './valkey-settings.ts';
import type { VariableName } from './variables.ts';

/** All that discovery reads. */
export const DISCOVERY_VARIABLES = [
  'DISCOVERY_ADDR',
  'DISCOVERY_METRICS_ADDR',
  'DISCOVERY_SNAPSHOT_FILE',
  ...VALKEY_VARIABLES,
  'BASE_DOMAIN',
  'PUBLIC_URL',
  'LOG_LEVEL',
] as const satisfies readonly VariableName[];

/** Credentials that its unit hands over (`LoadCredential`), and the setting whose file each is a copy of. */
export const DISCOVERY_CREDENTIALS = {
  'valkey-password': 'VALKEY_PASSWORD_FILE',
  'valkey-sentinel-password': 'VALKEY_SENTINEL_PASSWORD_FILE',
  'valkey-key': 'VALKEY_KEY_FILE',
} as const;

export interface DiscoveryConfig {
  readonly log: { readonly level: LogLevel };
  readonly valkey: ValkeyAccess;
  readonly discovery: Config['proxy']['discovery'];
  readonly baseDomain: string;
  readonly startPageHost: string;
}

/**
 * The settings of discovery alone: visitors reach their instances by it, and it may read next to nothing of the host,
 * so what only others use neither has to be right nor readable. Throws one invalid_config as loadConfig does.
 */
export function loadDiscoveryConfig(env: Environment, readFile: FileReader = readTextFile): DiscoveryConfig {
  const parsed = readEnvironment(withCredentials(env), readFile, DISCOVERY_VARIABLES);
  const valkey = readValkeySettings(parsed, readFile);
  const problems = [...parsed.problems, ...valkey.problems];
  if (problems.length > 0) throw invalidConfig(problems, env);
  const { values } = parsed;
  return {
    log: { level: values.LOG_LEVEL },
    valkey: valkey.access,
    discovery: {
      ...values.DISCOVERY_ADDR,
      metrics: values.DISCOVERY_METRICS_ADDR,
      snapshotFile: values.DISCOVERY_SNAPSHOT_FILE,
    },
    baseDomain: values.BASE_DOMAIN,
    startPageHost: values.PUBLIC_URL === undefined ? 'localhost' : new URL(values.PUBLIC_URL).hostname,
  };
}

/** Its user may not read the files themselves, only the copies. */
function withCredentials(env: Environment): Environment {
  const { CREDENTIALS_DIRECTORY: folder = '' } = env;
  if (folder === '') return env;
  const handedOver = Object.entries(DISCOVERY_CREDENTIALS)
    .map(([name, setting]) => [setting, join(folder, name)] as const)
    .filter(([setting, path]) => (env[setting] ?? '') !== '' && existsSync(path));
  return { ...env, ...Object.fromEntries(handedOver) };
}

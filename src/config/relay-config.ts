import { DATABASE_ENGINES, DATABASE_SERVERS, type DatabaseEngine } from '../domain/database.ts';
import type { LogLevel } from '../telemetry/logger.ts';
import { unopenedSockets } from './database-rules.ts';
import { readEnvironment, readTextFile, type Environment, type FileReader } from './environment.ts';
import { invalidConfig } from './invalid-config.ts';
import type { VariableName } from './variables.ts';

/** All that the database relay reads. */
export const RELAY_VARIABLES = [
  'DATABASE_SOCKET',
  'DATABASE_SERVER_URL',
  'POSTGRES_SOCKET',
  'POSTGRES_SERVER_URL',
  'LOG_LEVEL',
] as const satisfies readonly VariableName[];

interface DatabaseRelay {
  readonly engine: DatabaseEngine;
  readonly socketPath: string;
  readonly server: { readonly host: string; readonly port: number };
}

export interface RelayConfig {
  readonly log: { readonly level: LogLevel };
  readonly relays: readonly DatabaseRelay[];
}

/**
 * The settings of the relay alone: instances lose their databases with it, and it may read next to nothing of the host,
 * so what only others use neither has to be right nor readable. Throws one invalid_config as loadConfig does.
 */
export function loadRelayConfig(env: Environment, readFile: FileReader = readTextFile): RelayConfig {
  const { values, broken, problems: misread } = readEnvironment(env, readFile, RELAY_VARIABLES);
  const problems = [...misread, ...unopenedSockets(values, broken)];
  if (problems.length > 0) throw invalidConfig(problems, env);
  const relays = DATABASE_ENGINES.flatMap((engine) => {
    const { socket, url } = DATABASE_SERVERS[engine];
    const [socketPath, server] = [values[socket], values[url]];
    return socketPath === undefined || server === undefined ? [] : [{ engine, socketPath, server }];
  });
  return { log: { level: values.LOG_LEVEL }, relays };
}

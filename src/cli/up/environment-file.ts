import { fileURLToPath } from 'node:url';
import type { Environment } from '../../config/environment.ts';
import { VARIABLE_NAMES } from '../../config/variables.ts';

const MAIN = fileURLToPath(new URL('../../main.js', import.meta.url));

/**
 * For a shell to read with `.`: the settings of what runs here, the program under its own name, and the servers' own
 * tools logged in, without a password among their arguments.
 */
export function environmentFile(env: Environment): string {
  const names = VARIABLE_NAMES.flatMap((name) => [name, `${name}_FILE`]);
  const settings = names.flatMap((name) => {
    const value = env[name];
    return value === undefined || value === '' ? [] : [`export ${name}=${quoted(value)}`];
  });
  const aliases = [['try-it-now', `${quoted(process.execPath)} ${quoted(MAIN)}`], ...tools(env)] as const;
  return `${[...settings, ...aliases.map(([name, value]) => `alias ${name}=${quoted(value)}`)].join('\n')}\n`;
}

/** For people. The file holds keys: only who started everything may read it, which by way of sudo is root. */
export function howToRead(file: string, env: Environment): string {
  const { SUDO_USER: user = '' } = env;
  return `${user === '' ? '' : 'as root (sudo -s), '}from another terminal: . ${file}`;
}

function tools(env: Environment): (readonly [string, string])[] {
  const { VALKEY_ADDR: valkey, VALKEY_PASSWORD_FILE: valkeyFile, NATS_PASSWORD_FILE: natsFile } = env;
  const from = (file: string): string => `"$(cat ${quoted(file)})"`;
  return [
    ...(valkey === undefined || valkeyFile === undefined
      ? []
      : [['valkey-cli', `REDISCLI_AUTH=${from(valkeyFile)} valkey-cli -u ${quoted(`redis://${valkey}`)}`] as const]),
    ...(natsFile === undefined ? [] : [['nats', `NATS_PASSWORD=${from(natsFile)} nats`] as const]),
  ];
}

/** As POSIX shells read it back, whatever is in it. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

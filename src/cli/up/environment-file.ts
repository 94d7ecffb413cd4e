import { fileURLToPath } from 'node:url';
import type { Environment } from '../../config/environment.ts';
import { VARIABLE_NAMES } from '../../config/variables.ts';

const MAIN = fileURLToPath(new URL('../../main.js', import.meta.url));

/** For a shell to read with `.`: the settings of what runs here, and the program under its own name. */
export function environmentFile(env: Environment): string {
  const names = VARIABLE_NAMES.flatMap((name) => [name, `${name}_FILE`]);
  const settings = names.flatMap((name) => {
    const value = env[name];
    return value === undefined || value === '' ? [] : [`export ${name}=${quoted(value)}`];
  });
  return `${[...settings, `alias try-it-now=${quoted(`${quoted(process.execPath)} ${quoted(MAIN)}`)}`].join('\n')}\n`;
}

/** As POSIX shells read it back, whatever is in it. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

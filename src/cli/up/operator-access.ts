import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Environment } from '../../config/environment.ts';
import { VARIABLES } from '../../config/variables.ts';
import { freePort, preferPort } from '../../launcher/tcp-ports.ts';
import { isSet } from './example.ts';

const KEY_BYTES = 24;

/** With the admin API's usual port, or another one where that is taken. */
export async function withAdminPort(env: Environment): Promise<Environment> {
  if (isSet(env['ADMIN_ADDR'])) return env;
  const [host = '', usual = ''] = VARIABLES.ADMIN_ADDR.default.split(':');
  const port = env['SERVER_PORT'] === usual ? await freePort(host) : await preferPort(Number(usual), host);
  return { ...env, ADMIN_ADDR: `${host}:${port}` };
}

/** A key for this run, in a file that nobody else may read; none where keys are set. Returns what points at it. */
export async function drawOperatorKey(env: Environment, dir: string): Promise<Environment> {
  if (isSet(env['OPERATOR_KEYS']) || isSet(env['OPERATOR_KEYS_FILE'])) return {};
  const file = join(dir, 'operator-key');
  await writeFile(file, `${randomBytes(KEY_BYTES).toString('hex')}\n`, { mode: 0o600 });
  return { OPERATOR_KEYS_FILE: file, OPERATOR_KEY_FILE: file };
}

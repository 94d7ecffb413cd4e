/** What database servers have in common that refuse to run as root. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { TryItNowError } from '../domain/errors.ts';
import { findProgram } from './child-server.ts';

const run = promisify(execFile);

export interface ServerAccount {
  readonly uid: number;
  readonly gid: number;
}

/**
 * The account a package made for its server. Undefined when we are not root and the server simply runs as we do. Throws
 * child_failed.
 */
export async function serverAccount(title: string, account: string): Promise<ServerAccount | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  try {
    const [uid, gid] = await Promise.all(
      ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, account])).stdout)),
    );
    return { uid: uid ?? NaN, gid: gid ?? NaN };
  } catch (error) {
    throw new TryItNowError(
      'child_failed',
      `${title} cannot be started: it does not run as root, and this host has no account ${account}; ` +
        '`make setup` installs the package that makes one',
      { cause: error },
    );
  }
}

/**
 * Changing its own uid would take the signal away that ends the server with us: so the uid is changed before, and the
 * signal asked for after that. Throws child_failed.
 */
export function commandAs(program: string, account: ServerAccount | undefined): readonly [string, ...string[]] {
  if (account === undefined) return [program];
  const guard = findProgram('setpriv');
  if (guard === undefined)
    throw new TryItNowError(
      'child_failed',
      `${program} cannot be started: it does not run as root, and the program setpriv (of util-linux) is not there`,
    );
  return [guard, `--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups', '--pdeathsig=KILL', program];
}

/** Drawn once and kept: clients that reconnect after a restart still know it. */
export async function keptPassword(file: string): Promise<string> {
  if (existsSync(file)) return (await readFile(file, 'utf8')).trim();
  const password = randomBytes(24).toString('hex');
  await writeFile(`${file}.new`, `${password}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
  return password;
}

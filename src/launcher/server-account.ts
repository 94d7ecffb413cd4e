/** How servers are run that must not be root, and what they write is kept from everybody else. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
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
    return await idsOf(account);
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
 * The same for a server that could run as root: where the host has no such account, it is nobody. Throws child_failed.
 */
export async function accountOrNobody(title: string, account: string): Promise<ServerAccount | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  return idsOf(account).catch(() => serverAccount(title, 'nobody'));
}

async function idsOf(account: string): Promise<ServerAccount> {
  const [uid, gid] = await Promise.all(
    ['-u', '-g'].map(async (flag) => Number((await run('id', [flag, account])).stdout)),
  );
  return { uid: uid ?? NaN, gid: gid ?? NaN };
}

export interface Rights {
  /** May listen on ports below 1024. It has no other right of root's, and gets none by starting programs. */
  readonly lowPorts?: boolean;
}

/**
 * Changing its own uid would take the signal away that ends the server with us: so the uid is changed before, and the
 * signal asked for after that. Throws child_failed.
 */
export function commandAs(
  program: string,
  account: ServerAccount | undefined,
  { lowPorts = false }: Rights = {},
): readonly [string, ...string[]] {
  // Whoever starts a program that was not found says so better than setpriv does.
  if (account === undefined || !program.includes('/')) return [program];
  const guard = findProgram('setpriv');
  if (guard === undefined)
    throw new TryItNowError(
      'child_failed',
      `${program} cannot be started: it does not run as root, and the program setpriv (of util-linux) is not there`,
    );
  const kept = lowPorts ? '-all,+net_bind_service' : '-all';
  return [
    guard,
    `--reuid=${account.uid}`,
    `--regid=${account.gid}`,
    '--clear-groups',
    `--bounding-set=${kept}`,
    ...(lowPorts ? [`--inh-caps=${kept}`, `--ambient-caps=${kept}`] : []),
    '--no-new-privs',
    '--pdeathsig=KILL',
    program,
  ];
}

/**
 * The folder below `dir` that the account alone may look into and write to; `dir` itself, closed to others, when there
 * is no account. What we write for the server goes into `dir`: in its own folder it could have put a link in the way.
 */
export async function ownFolder(dir: string, account: ServerAccount | undefined): Promise<string> {
  await mkdir(dir, { recursive: true });
  // The account must be able to pass through, not to look around.
  await chmod(dir, account === undefined ? 0o700 : 0o711);
  if (account === undefined) return dir;
  const own = join(dir, 'own');
  await mkdir(own, { recursive: true, mode: 0o700 });
  await chown(own, account.uid, account.gid);
  return own;
}

/** A file that the account alone may read. Its folder must be ours. */
export async function writeOwned(file: string, text: string, account: ServerAccount | undefined): Promise<void> {
  const handle = await open(file, 'w', 0o600);
  try {
    if (account !== undefined) await handle.chown(account.uid, account.gid);
    await handle.writeFile(text);
  } finally {
    await handle.close();
  }
}

/** Drawn once and kept: clients that reconnect after a restart still know it. */
export async function keptPassword(file: string): Promise<string> {
  if (existsSync(file)) return (await readFile(file, 'utf8')).trim();
  const password = randomBytes(24).toString('hex');
  await writeFile(`${file}.new`, `${password}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
  return password;
}

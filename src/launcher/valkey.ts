import { join } from 'node:path';
import { ChildServer, findProgram } from './child-server.ts';
import { commandAs, ownFolder, writeOwned, type ServerAccount } from './server-account.ts';
import { freePort } from './tcp-ports.ts';

export interface LaunchedValkey extends AsyncDisposable {
  readonly address: string;
  readonly server: ChildServer;
}

/**
 * Valkey on loopback. Without `persistent` nothing is written to disk: `dir` then only holds a crash log. With `guard`
 * it runs as that account and answers only who knows the password.
 */
export async function launchValkey(options: {
  readonly dir: string;
  readonly port?: number;
  readonly persistent?: boolean;
  readonly guard?: { readonly account: ServerAccount | undefined; readonly password: string };
  /** Further arguments, such as `--replicaof`. */
  readonly args?: readonly string[];
}): Promise<LaunchedValkey> {
  const { dir, guard } = options;
  const port = options.port ?? (await freePort());
  const own = guard === undefined ? dir : await ownFolder(dir, guard.account);
  const persistence =
    options.persistent === true ? ['--appendonly', 'yes', '--appendfsync', 'everysec'] : ['--appendonly', 'no'];
  const config = join(dir, 'valkey.conf');
  // Not among the arguments, which everybody on this host may read.
  if (guard !== undefined) await writeOwned(config, `requirepass ${guard.password}\n`, guard.account);
  const [command, ...args] = commandAs(findProgram('valkey-server') ?? 'valkey-server', guard?.account);
  const server = await ChildServer.start({
    name: 'Valkey',
    comesFirst: true,
    command,
    args: [
      ...args,
      ...(guard === undefined ? [] : [config]),
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      own,
      '--save',
      '',
      ...persistence,
      '--loglevel',
      'notice',
      ...(options.args ?? []),
    ],
    cleanEnv: true,
    saysUp: 'Ready to accept connections',
  });
  return { address: `127.0.0.1:${port}`, server, [Symbol.asyncDispose]: () => server.stop() };
}

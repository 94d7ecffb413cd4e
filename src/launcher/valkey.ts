import { freePort } from './tcp-ports.ts';
import { ChildServer } from './child-server.ts';

export interface LaunchedValkey extends AsyncDisposable {
  readonly address: string;
  readonly server: ChildServer;
}

/** Valkey on loopback. Without `persistent` nothing is written to disk: `dir` then only holds a crash log. */
export async function launchValkey(options: {
  readonly dir: string;
  readonly port?: number;
  readonly persistent?: boolean;
}): Promise<LaunchedValkey> {
  const port = options.port ?? (await freePort());
  const persistence =
    options.persistent === true ? ['--appendonly', 'yes', '--appendfsync', 'everysec'] : ['--appendonly', 'no'];
  const server = await ChildServer.start({
    name: 'Valkey',
    command: 'valkey-server',
    args: [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      options.dir,
      '--save',
      '',
      ...persistence,
      '--loglevel',
      'notice',
    ],
    saysUp: 'Ready to accept connections',
  });
  return { address: `127.0.0.1:${port}`, server, [Symbol.asyncDispose]: () => server.stop() };
}

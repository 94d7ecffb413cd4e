import { join } from 'node:path';
import { ChildServer, findProgram } from './child-server.ts';
import { commandAs, ownFolder, writeOwned, type ServerAccount } from './server-account.ts';
import { freePort } from './tcp-ports.ts';

export interface LaunchedNats extends AsyncDisposable {
  readonly url: string;
  /** http://127.0.0.1:<port>: /healthz, /jsz and friends. */
  readonly monitorUrl: string;
  readonly server: ChildServer;
}

/**
 * A NATS server with JetStream on loopback, its streams under `dir`. With `guard` it runs as that account and takes no
 * connection without the login. A user and password, not a token: the monitoring shows tokens to whoever asks.
 */
export async function launchNats(options: {
  readonly dir: string;
  readonly port?: number;
  readonly monitorPort?: number;
  readonly guard?: { readonly account: ServerAccount | undefined; readonly user: string; readonly password: string };
}): Promise<LaunchedNats> {
  const { dir, guard } = options;
  const port = options.port ?? (await freePort());
  const monitorPort = options.monitorPort ?? (await freePort());
  const monitorUrl = `http://127.0.0.1:${monitorPort}`;
  const own = guard === undefined ? dir : await ownFolder(dir, guard.account);
  const config = join(dir, 'nats.conf');
  if (guard !== undefined)
    await writeOwned(
      config,
      `authorization ${JSON.stringify({ user: guard.user, password: guard.password })}\n`,
      guard.account,
    );
  const [command, ...args] = commandAs(findProgram('nats-server') ?? 'nats-server', guard?.account);
  const server = await ChildServer.start({
    name: 'NATS',
    command,
    args: [
      ...args,
      ...(guard === undefined ? [] : ['-c', config]),
      '-a',
      '127.0.0.1',
      '-p',
      String(port),
      '-m',
      String(monitorPort),
      '-js',
      '-sd',
      own,
    ],
    cleanEnv: true,
    saysUp: 'Server is ready',
    isUp: async () => (await fetch(`${monitorUrl}/healthz`)).ok,
  });
  return { url: `nats://127.0.0.1:${port}`, monitorUrl, server, [Symbol.asyncDispose]: () => server.stop() };
}

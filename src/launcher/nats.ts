import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ChildServer, findProgram } from './child-server.ts';
import { commandAs, ownFolder, writeOwned, type ServerAccount } from './server-account.ts';
import { freePort } from './tcp-ports.ts';

export interface LaunchedNats extends AsyncDisposable {
  readonly url: string;
  /** http://127.0.0.1:<port>: /healthz, /jsz and friends. */
  readonly monitorUrl: string;
  readonly server: ChildServer;
}

/** By default three quarters of what is free: on a disk that is nearly full it refuses the streams that it has. */
const MAX_FILE_STORE = '10GB';
/** What is shipped in deploy/, beside src/ and dist/ alike. */
const WATCHED = fileURLToPath(new URL('../../deploy/nats/watched.sh', import.meta.url));

/**
 * A NATS server with JetStream on loopback, its streams under `dir`. With `guard` it runs as that account and takes no
 * connection without the login. A user and password, not a token: the monitoring shows tokens to whoever asks. It then
 * ends by itself, to be started again, once a disk that was full has room: NATS stores nothing more before.
 */
export async function launchNats(options: {
  readonly dir: string;
  readonly port?: number;
  readonly monitorPort?: number;
  readonly guard?: {
    readonly account: ServerAccount | undefined;
    readonly user: string;
    readonly password: string;
    /** Of the watch's looks; watched.sh has its own default. */
    readonly watchEverySeconds?: number;
  };
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
      `authorization ${JSON.stringify({ user: guard.user, password: guard.password })}\n` +
        `jetstream { max_file_store: ${MAX_FILE_STORE} }\n`,
      guard.account,
    );
  const program = commandAs(findProgram('nats-server') ?? 'nats-server', guard?.account);
  const watched = ['/bin/sh', WATCHED, `127.0.0.1:${monitorPort}`, own, ...program] as const;
  const [command, ...args] = guard === undefined || !program[0].includes('/') ? program : watched;
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
    ...(guard?.watchEverySeconds === undefined ? {} : { env: { NATS_WATCH_EVERY: String(guard.watchEverySeconds) } }),
    saysUp: 'Server is ready',
    isUp: async () => (await fetch(`${monitorUrl}/healthz`)).ok,
  });
  return { url: `nats://127.0.0.1:${port}`, monitorUrl, server, [Symbol.asyncDispose]: () => server.stop() };
}

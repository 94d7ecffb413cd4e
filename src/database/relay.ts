import { chmod, mkdir, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { once } from 'node:events';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { atDeadline } from '../lifecycle/deadline.ts';

export interface RelayOptions {
  /** For people: what is passed on. */
  readonly title: string;
  /** What instances see. Its folder is made; a socket that nobody listens on any more is replaced. */
  readonly socketPath: string;
  readonly server: { readonly host: string; readonly port: number };
  readonly log: Log;
}

/** Of our own to the server: in a private network it takes milliseconds. */
const CONNECT_TIMEOUT_MS = 5_000;
/** A host that died without a word is noticed by its silence. */
const KEEP_ALIVE_MS = 15_000;
/** All instances of a host together; a connection costs two descriptors. */
const MOST_CONNECTIONS = 10_000;

/**
 * A socket on this host whose connections lead to a database server elsewhere, so that instances need no network for
 * it: they see a file, as with a server of the host's own. Reads nothing of what it passes on. Throws port_taken.
 */
export async function startRelay(options: RelayOptions): Promise<AsyncDisposable> {
  const { title, socketPath, server, log } = options;
  const open = new Set<Socket>();
  const own = (socket: Socket): Socket => {
    open.add(socket);
    // What breaks one end breaks the other below.
    socket.on('error', () => undefined).on('close', () => open.delete(socket));
    return socket;
  };
  let unreachable = false;
  const listener = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = own(connect({ ...server, allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }));
    own(near).pipe(far);
    far.pipe(near);
    const cancel = atDeadline(CONNECT_TIMEOUT_MS, () =>
      far.destroy(new Error(`no answer in ${CONNECT_TIMEOUT_MS} ms`)),
    );
    far.setNoDelay(true);
    far.on('connect', () => {
      cancel();
      if (unreachable) log.info({ ...server }, `${title} takes connections again`);
      unreachable = false;
    });
    far.on('error', (error) => {
      if (!far.connecting && far.bytesRead + far.bytesWritten > 0) return;
      if (!unreachable)
        log.error({ ...server, reason: describeError(error) }, `${title} takes no connections; instances get none`);
      unreachable = true;
    });
    far.on('close', () => {
      cancel();
      if (!hasSaidAll(far)) near.destroy();
    });
    near.on('close', () => {
      if (!hasSaidAll(near)) far.destroy();
    });
  });
  listener.maxConnections = MOST_CONNECTIONS;
  await listen(listener, options);
  log.info({ socket: socketPath, ...server }, `Connections of instances are passed on to ${title}`);
  return {
    [Symbol.asyncDispose]: async () => {
      const closed = once(listener, 'close');
      listener.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

/** One that has not was cut off; what one that has still owes the other is on its way. */
function hasSaidAll({ readableEnded, writableFinished }: Socket): boolean {
  return readableEnded && writableFinished;
}

async function listen(listener: Server, { title, socketPath }: RelayOptions): Promise<void> {
  await mkdir(dirname(socketPath), { recursive: true, mode: 0o755 });
  if (await answers(socketPath))
    throw new TryItNowError(
      'port_taken',
      `Somebody listens on ${socketPath} already, where connections to ${title} were to be passed on: another relay, ` +
        'or a server of this host; stop it, or choose another path',
    );
  await rm(socketPath, { force: true });
  listener.listen(socketPath);
  await once(listener, 'listening');
  // Processes of a container are users that this host does not know.
  await chmod(socketPath, 0o777);
}

async function answers(socketPath: string): Promise<boolean> {
  const probe = connect(socketPath);
  try {
    await once(probe, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    probe.destroy();
  }
}

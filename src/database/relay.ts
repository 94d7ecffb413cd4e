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
  readonly pace?: Pace;
}

/** How many connections to the server may begin: `burst` at once, and so many a second. */
export interface Pace {
  readonly perSecond: number;
  readonly burst: number;
}

/**
 * One that an app closes first keeps its port of this host for a minute, and a host has 28,000: with more, nobody gets
 * a connection. At this pace at most 17,000 are kept, while apps open some dozen a second.
 */
const USUAL_PACE: Pace = { perSecond: 200, burst: 5_000 };
/** So often it is looked whether one that waits may begin. */
const PACE_STEP_MS = 20;

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
  const { title, socketPath, server, log, pace = USUAL_PACE } = options;
  const open = new Set<Socket>();
  const own = (socket: Socket): Socket => {
    open.add(socket);
    // What breaks one end breaks the other below.
    socket.on('error', () => undefined).on('close', () => open.delete(socket));
    return socket;
  };
  let unreachable = false;
  const passOn = (near: Socket): void => {
    const far = own(connect({ ...server, allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }));
    near.pipe(far);
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
  };
  const waiting = new WaitingRoom(pace, passOn);
  const listener = createServer({ allowHalfOpen: true, noDelay: true }, (near) => waiting.admit(own(near)));
  listener.maxConnections = MOST_CONNECTIONS;
  await listen(listener, options);
  log.info({ socket: socketPath, ...server }, `Connections of instances are passed on to ${title}`);
  return {
    [Symbol.asyncDispose]: async () => {
      const closed = once(listener, 'close');
      listener.close();
      waiting.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

/**
 * Lets connections begin in the order in which they came, no faster than the pace. One that waits counts as its
 * instance's, also when that has left it, so that who crowds the room loses the visit.
 */
class WaitingRoom {
  readonly #pace: Pace;
  readonly #begin: (socket: Socket) => void;
  readonly #waiting = new Set<Socket>();
  #turns: number;
  #countedAtMs = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(pace: Pace, begin: (socket: Socket) => void) {
    this.#pace = pace;
    this.#begin = begin;
    this.#turns = pace.burst;
  }

  admit(socket: Socket): void {
    this.#waiting.add(socket);
    socket.on('close', () => this.#waiting.delete(socket));
    this.#letIn();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#waiting.clear();
  }

  #letIn(): void {
    const { perSecond, burst } = this.#pace;
    const nowMs = performance.now();
    this.#turns = Math.min(burst, this.#turns + ((nowMs - this.#countedAtMs) / 1_000) * perSecond);
    this.#countedAtMs = nowMs;
    for (const socket of this.#waiting) {
      if (this.#turns < 1) break;
      this.#turns -= 1;
      this.#waiting.delete(socket);
      this.#begin(socket);
    }
    clearTimeout(this.#timer);
    this.#timer = this.#waiting.size === 0 ? undefined : setTimeout(() => this.#letIn(), PACE_STEP_MS);
  }
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

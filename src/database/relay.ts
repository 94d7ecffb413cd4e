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
  const passOn = (near: Socket, said: readonly Buffer[]): void => {
    const far = own(connect({ ...server, allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }));
    for (const chunk of said) far.write(chunk);
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

/** Of one that has not begun: what PostgreSQL takes to log in, and more; with MariaDB the server speaks first. */
const MOST_SAID = 16 * 1_024;
/** For so long, and at most so many, are kept that left before their turn: the watch over visits comes each second. */
const LEFT = { keptMs: 2_000, most: 1_000 };

/**
 * Lets connections begin in the order in which they came, no faster than the pace. Who leaves before takes no turn from
 * those behind, but counts as its instance's for a moment more, so that who crowds the room loses the visit.
 */
class WaitingRoom {
  readonly #pace: Pace;
  readonly #begin: (socket: Socket, said: readonly Buffer[]) => void;
  /** How each begins. */
  readonly #waiting = new Map<Socket, () => void>();
  /** When each left. */
  readonly #left = new Map<Socket, number>();
  #turns: number;
  #countedAtMs = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(pace: Pace, begin: (socket: Socket, said: readonly Buffer[]) => void) {
    this.#pace = pace;
    this.#begin = begin;
    this.#turns = pace.burst;
  }

  admit(socket: Socket): void {
    const said: Buffer[] = [];
    // The end of one that has spoken is seen by who reads what it said.
    const hear = (chunk: Buffer): void => {
      said.push(chunk);
      if (said.reduce((bytes, { length }) => bytes + length, 0) > MOST_SAID) socket.destroy();
    };
    const leave = (): void => this.#keepLeft(socket);
    socket.on('data', hear).on('end', leave);
    socket.on('close', () => {
      this.#waiting.delete(socket);
      this.#left.delete(socket);
    });
    this.#waiting.set(socket, () => {
      socket.off('data', hear).off('end', leave);
      this.#begin(socket, said);
    });
    this.#letIn();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#waiting.clear();
    this.#left.clear();
  }

  #keepLeft(socket: Socket): void {
    if (!this.#waiting.delete(socket)) return;
    this.#left.set(socket, performance.now());
    const [oldest] = this.#left.keys();
    if (this.#left.size > LEFT.most && oldest !== undefined) this.#forget(oldest);
  }

  #forget(socket: Socket): void {
    this.#left.delete(socket);
    socket.destroy();
  }

  #letIn(): void {
    const { perSecond, burst } = this.#pace;
    const nowMs = performance.now();
    this.#turns = Math.min(burst, this.#turns + ((nowMs - this.#countedAtMs) / 1_000) * perSecond);
    this.#countedAtMs = nowMs;
    for (const [socket, begin] of this.#waiting) {
      if (this.#turns < 1) break;
      this.#turns -= 1;
      this.#waiting.delete(socket);
      begin();
    }
    for (const [socket, leftMs] of this.#left) {
      if (nowMs - leftMs < LEFT.keptMs) break;
      this.#forget(socket);
    }
    clearTimeout(this.#timer);
    const isEmpty = this.#waiting.size + this.#left.size === 0;
    this.#timer = isEmpty ? undefined : setTimeout(() => this.#letIn(), PACE_STEP_MS);
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

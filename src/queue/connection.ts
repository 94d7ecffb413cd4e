import { connect, deadline, errors, type NatsConnection, type ConnectionOptions } from '@nats-io/transport-node';
import { jetstream, jetstreamManager, type JetStreamClient, type JetStreamManager } from '@nats-io/jetstream';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const API_TIMEOUT_MS = 2_000;
const RECONNECT_WAIT_MS = 200;
/** Two missed pings and the connection counts as stale: a hung server is noticed within half a minute. */
const PING_INTERVAL_MS = 10_000;
const CLOSE_TIMEOUT_MS = 2_000;

export interface QueueConnectionOptions {
  /** `nats://host:port`, several separated by commas; `tls://` insists on TLS. User and password may stand in it. */
  readonly url: string;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly token?: string | undefined;
  readonly log: Log;
}

/** One connection to NATS, shared by publisher and workers. Once made it reconnects by itself for ever. */
export interface QueueConnection {
  readonly nats: NatsConnection;
  readonly jetstream: JetStreamClient;
  readonly manager: JetStreamManager;
  /** Without user, password or token. */
  readonly url: string;
  readonly connected: boolean;
  /** Called after every reconnect; returns how to stop that. */
  onReconnect(listener: () => void): () => void;
  /** Called when the stream of tasks had to be made again, so that what was in it is lost; returns how to stop that. */
  onTasksLost(listener: () => void): () => void;
  /** Said by the process that made the stream. */
  tasksLost(): void;
  /** Resolves when connected, or when the signal is or becomes aborted. */
  untilConnected(signal: AbortSignal): Promise<void>;
  /** Sends what is still to be sent, then closes. */
  close(): Promise<void>;
}

interface Login {
  readonly servers: string[];
  readonly tls: boolean;
  readonly shown: string;
  readonly user: string | undefined;
  readonly pass: string | undefined;
}

/** Takes user and password out of the URL: the client does not read them there, and no message may show them. */
function readUrl(url: string): Login {
  const parts = url
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  const parsed = parts.map((part) => new URL(part.includes('://') ? part : `nats://${part}`));
  const first = parsed[0];
  if (first === undefined)
    throw new TryItNowError('invalid_config', 'NATS_URL is empty; set it to something like nats://127.0.0.1:4222');
  const secret = (text: string) => (text === '' ? undefined : decodeURIComponent(text));
  return {
    servers: parsed.map(({ host }) => host),
    tls: parsed.some(({ protocol }) => protocol === 'tls:'),
    shown: parsed.map(({ protocol, host }) => `${protocol}//${host}`).join(','),
    user: secret(first.username),
    pass: secret(first.password),
  };
}

function credentials(login: Login, { user, password, token }: QueueConnectionOptions): Partial<ConnectionOptions> {
  if (token !== undefined) return { token };
  if (user !== undefined && password !== undefined) return { user, pass: password };
  if (login.user === undefined) return {};
  // A lone user name is how NATS URLs spell a token.
  return login.pass === undefined ? { token: login.user } : { user: login.user, pass: login.pass };
}

/** Throws queue_unavailable when NATS does not answer, refuses the login, or has JetStream off. */
export async function connectQueue(options: QueueConnectionOptions): Promise<QueueConnection> {
  const login = readUrl(options.url);
  const nats = await connect({
    name: 'try-it-now',
    servers: login.servers,
    ...(login.tls ? { tls: {} } : {}),
    ...credentials(login, options),
    timeout: CONNECT_TIMEOUT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    // A server whose accounts are being changed refuses for a while; giving up for ever would need a restart of ours.
    ignoreAuthErrorAbort: true,
    pingInterval: PING_INTERVAL_MS,
    maxPingOut: 2,
  }).catch((error: unknown) => {
    throw error instanceof errors.AuthorizationError
      ? new TryItNowError(
          'queue_unavailable',
          `NATS at ${login.shown} refuses the login; check NATS_USER and NATS_PASSWORD, or NATS_TOKEN`,
          { cause: error },
        )
      : new TryItNowError('queue_unavailable', `NATS at ${login.shown} does not answer; start it or correct NATS_URL`, {
          cause: error,
        });
  });
  try {
    const manager = await jetstreamManager(nats, { timeout: API_TIMEOUT_MS });
    return watch(nats, manager, login.shown, options.log);
  } catch (error) {
    await nats.close();
    throw new TryItNowError(
      'queue_unavailable',
      `NATS at ${login.shown} answers, but JetStream does not; start nats-server with -js`,
      { cause: error },
    );
  }
}

function watch(nats: NatsConnection, manager: JetStreamManager, url: string, log: Log): QueueConnection {
  const listeners = new Set<() => void>();
  const lossListeners = new Set<() => void>();
  const state: ConnectionState = { connected: true, closing: false };
  const onReconnected = (): void => {
    for (const listener of [...listeners]) listener();
  };
  void followStatus(nats, state, { url, log, onReconnected });

  return {
    nats,
    jetstream: jetstream(nats, { timeout: API_TIMEOUT_MS }),
    manager,
    url,
    get connected() {
      return state.connected && !nats.isClosed();
    },
    onReconnect(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onTasksLost(listener) {
      lossListeners.add(listener);
      return () => lossListeners.delete(listener);
    },
    tasksLost() {
      for (const listener of [...lossListeners]) listener();
    },
    async untilConnected(signal) {
      while (!state.connected && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const done = () => {
            listeners.delete(done);
            signal.removeEventListener('abort', done);
            resolve();
          };
          listeners.add(done);
          signal.addEventListener('abort', done, { once: true });
        });
      }
    },
    async close() {
      state.closing = true;
      // A drain waits for the server; without one, or with one that hangs, there is nothing to wait for.
      if (state.connected) await deadline(nats.drain(), CLOSE_TIMEOUT_MS).catch(() => undefined);
      await nats.close();
    },
  };
}

interface ConnectionState {
  connected: boolean;
  closing: boolean;
}

/** Keeps `connected` true to what the client reports, until it is closed. */
async function followStatus(
  nats: NatsConnection,
  state: ConnectionState,
  { url, log, onReconnected }: { readonly url: string; readonly log: Log; readonly onReconnected: () => void },
): Promise<void> {
  let downSince = 0;
  for await (const status of nats.status()) {
    if (status.type === 'disconnect' && state.connected) {
      state.connected = false;
      downSince = performance.now();
      if (!state.closing) log.warn({ url }, 'NATS disconnected; reconnecting in the background');
    } else if (status.type === 'reconnect' && !state.connected) {
      state.connected = true;
      log.info({ url, downMs: Math.round(performance.now() - downSince) }, 'NATS reconnected');
      onReconnected();
    } else if (status.type === 'error') {
      log.error({ url, err: status.error, reason: describeError(status.error) }, 'NATS reported an error');
    }
  }
  state.connected = false;
}

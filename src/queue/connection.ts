import { connect, deadline, errors, type NatsConnection } from '@nats-io/transport-node';
import {
  JetStreamApiError,
  jetstream,
  jetstreamManager,
  type JetStreamClient,
  type JetStreamManager,
} from '@nats-io/jetstream';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { prepareLogin, type QueueLogin } from './login.ts';
import { missingPermission } from './missing-permission.ts';

const CONNECT_TIMEOUT_MS = 5_000;
const API_TIMEOUT_MS = 2_000;
const RECONNECT_WAIT_MS = 200;
/**
 * Between two pings. With the second one unanswered at the time of the third, the connection is given up, and the next
 * server is asked. A network that is cut tells nobody: without pings what is sent into such a connection is repeated by
 * the kernel with growing pauses, for as long again after the network is whole as it was cut before.
 */
const PING_INTERVAL_MS = 3_000;
const CLOSE_TIMEOUT_MS = 2_000;

export interface QueueConnectionOptions extends QueueLogin {
  /** How many servers of the cluster keep each stream that is made. */
  readonly replicas?: number;
  /** PING_INTERVAL_MS without it. */
  readonly pingIntervalMs?: number;
  readonly log: Log;
}

/** One connection to NATS, shared by publisher and workers. Once made it reconnects by itself for ever. */
export interface QueueConnection {
  readonly nats: NatsConnection;
  readonly jetstream: JetStreamClient;
  readonly manager: JetStreamManager;
  /** Without user, password or token. */
  readonly url: string;
  /** How we log in, for people; `none`, or without the secret. */
  readonly login: string;
  /** How many servers of the cluster keep each stream that is made. */
  readonly replicas: number;
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

/** Throws queue_unavailable when NATS does not answer, refuses the login, or has JetStream off. */
export async function connectQueue(options: QueueConnectionOptions): Promise<QueueConnection> {
  const { shown, kind, options: login, explain } = prepareLogin(options);
  const nats = await connect({
    name: 'try-it-now',
    ...login,
    timeout: CONNECT_TIMEOUT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT_MS,
    // A server whose accounts are being changed refuses for a while; giving up for ever would need a restart of ours.
    ignoreAuthErrorAbort: true,
    pingInterval: options.pingIntervalMs ?? PING_INTERVAL_MS,
    maxPingOut: 2,
  }).catch((error: unknown) => {
    throw new TryItNowError('queue_unavailable', `NATS at ${shown} ${explain(error)}`, { cause: error });
  });
  try {
    const manager = await jetstreamManager(nats, { timeout: API_TIMEOUT_MS });
    return watch(nats, manager, { ...options, url: shown, login: kind });
  } catch (error) {
    await nats.close();
    throw new TryItNowError('queue_unavailable', `NATS at ${shown} ${withoutJetStream(error)}`, { cause: error });
  }
}

/** JetStream's own code, https://github.com/nats-io/nats-server/blob/main/server/errors.json */
const NOT_FOR_ACCOUNT = 10039;
const IN_TIME =
  'in a cluster, see that more than half of its servers are up; where its disk was full, make room and restart it';

function withoutJetStream(error: unknown): string {
  const missing = missingPermission(error);
  if (missing !== undefined) return `lets us in, but not work: ${missing}`;
  const api = error instanceof Error ? error.cause : undefined;
  if (api instanceof JetStreamApiError && api.code === NOT_FOR_ACCOUNT)
    return 'answers, but JetStream is off for the account of our login; switch it on there (`jetstream: enabled`)';
  if (error instanceof errors.TimeoutError) return `answers, but JetStream does not in time; ${IN_TIME}`;
  return 'answers, but JetStream does not; start nats-server with -js, or restart it where its disk was full';
}

function watch(
  nats: NatsConnection,
  manager: JetStreamManager,
  { url, login, log, replicas = 1 }: QueueConnectionOptions & { readonly login: string },
): QueueConnection {
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
    login,
    replicas,
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
      const reason = missingPermission(status.error) ?? describeError(status.error);
      log.error({ url, err: status.error, reason }, 'NATS reported an error');
    }
  }
  state.connected = false;
}

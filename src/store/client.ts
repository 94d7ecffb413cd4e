import type { Redis as Valkey } from 'iovalkey';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { backoffMs } from '../lifecycle/backoff.ts';
import { connectionOptions } from './connector.ts';
import { keys } from './keys.ts';
import { PatientValkey } from './patient-valkey.ts';
import { refusalOf } from './refusals.ts';
import { NoPrimary, findPrimary, hasHungUp } from './sentinels.ts';
import { accessText, type ValkeyAccess } from './valkey-access.ts';

export interface ValkeyOptions extends ValkeyAccess {
  readonly log: Log;
}

/** A visitor should rather hear "try again" than wait for a store that does not answer. */
export const COMMAND_TIMEOUT_MS = 2_000;
/** How often a server that still reads its data in is asked whether it is done. */
const LOADING_RETRY_MS = 500;
const RETRY_AFTER_MS = 2_000;
/** Of the time a connection may take, so that it is TLS which is found at fault. */
const HANDSHAKE_SHARE = 0.8;

export interface ClientPatience {
  /** For a connection, and for an answer. */
  readonly timeoutMs: number;
  /** When to try again; null: never. */
  readonly retryStrategy: (attempt: number) => number | null;
  /** Whether a connection waits until the server has read its data in. */
  readonly untilLoaded: boolean;
}

/** Makes every client: one that has not connected yet, and whose commands fail while there is no connection. */
export function newClient(access: ValkeyAccess, { timeoutMs, retryStrategy, untilLoaded }: ClientPatience): Valkey {
  const { user, password, sentinel, tls } = access;
  return new PatientValkey({
    ...connectionOptions({
      locate:
        sentinel === undefined
          ? () => Promise.resolve(access)
          : () => findPrimary({ ...sentinel, tls, timeoutMs: timeoutMs * HANDSHAKE_SHARE }),
      tls,
      handshakeMs: timeoutMs * HANDSHAKE_SHARE,
      retryStrategy,
      wantsPrimary: sentinel !== undefined,
    }),
    ...(user === undefined ? {} : { username: user }),
    ...(password === undefined ? {} : { password }),
    lazyConnect: true,
    enableOfflineQueue: false,
    enableReadyCheck: untilLoaded,
    maxRetriesPerRequest: 0,
    answerWithinMs: timeoutMs,
    connectTimeout: timeoutMs,
    maxLoadingRetryTime: LOADING_RETRY_MS,
    retryStrategy,
    // Whoever became a replica, or lost its own, may have been replaced: the Sentinels know.
    reconnectOnError: (error) => sentinel !== undefined && /^(READONLY|NOREPLICAS|MASTERDOWN)/.test(error.message),
  });
}

/**
 * One connection that fails fast while Valkey is unavailable and comes back by itself.
 * Throws store_unavailable when the first connection cannot be made.
 */
export async function connectValkey({ log, ...access }: ValkeyOptions): Promise<Valkey> {
  const address = accessText(access);
  let connected = false;
  const client = newClient(access, {
    timeoutMs: COMMAND_TIMEOUT_MS,
    retryStrategy: (attempt) => (connected ? backoffMs(attempt, { baseMs: 50, maxMs: 1_000 }) : null),
    untilLoaded: true,
  });
  let lastError: unknown;
  let down = false;
  client.on('error', (error) => {
    lastError = error;
    if (connected && !down)
      log.error({ address, reason: describeError(error) }, 'Valkey connection lost; reconnecting');
    down = true;
  });
  client.on('ready', () => {
    if (down && connected) log.info({ address }, 'Valkey connection is back');
    down = false;
  });
  try {
    await client.connect();
    await client.ping();
  } catch (error) {
    client.disconnect();
    throw unavailable(error, lastError, address);
  }
  connected = true;
  return client;
}

/** One that does not come back by itself, for who can do without. */
export function newBriefClient(access: ValkeyAccess): Valkey {
  return newClient(access, { timeoutMs: COMMAND_TIMEOUT_MS, retryStrategy: () => null, untilLoaded: false });
}

/** Throws store_unavailable when it does not answer. */
export async function pingValkey(client: Valkey): Promise<void> {
  await client.ping().catch((error: unknown) => {
    throw storeError(error);
  });
}

/**
 * Why it takes no changes, where it has too few replicas for that (`min-replicas-to-write`); undefined where it takes
 * them. Throws store_unavailable.
 */
export async function lackOfReplicas(client: Valkey): Promise<TryItNowError | undefined> {
  try {
    // A change that changes nothing: no node has an empty name.
    await client.hdel(keys.nodes, '');
    return undefined;
  } catch (error) {
    const failure = storeError(error);
    if (failure instanceof TryItNowError && isForWantOfReplicas(failure)) return failure;
    throw failure;
  }
}

/** Whether this is what Valkey answers while it has fewer replicas than it wants. */
export function isForWantOfReplicas(error: unknown): boolean {
  return error instanceof Error && error.cause instanceof Error && error.cause.message.startsWith('NOREPLICAS');
}

/** Says goodbye, where somebody is there to hear it: a connection that is down is let go. */
export async function disconnectValkey(client: Valkey): Promise<void> {
  if (client.status === 'ready') await client.quit();
  else client.disconnect();
}

/** Its own answer says more than the connection that was closed after it. */
function unavailable(error: unknown, lastError: unknown, address: string): TryItNowError {
  const answer = [error, lastError].find((each) => refusalOf(each) !== undefined);
  const refusal = refusalOf(answer);
  const found = lastError ?? error;
  let message =
    `Valkey does not answer at ${address} (${describeError(found)}); start it, or set VALKEY_ADDR or VALKEY_URL` +
    (hasHungUp(found) ? '; where it speaks TLS alone, begin VALKEY_URL with valkeys://' : '');
  if (refusal !== undefined)
    message = `Valkey at ${address} ${refusal.what} (${describeError(answer)}); ${refusal.remedy}`;
  else if (found instanceof NoPrimary) message = `Valkey cannot be reached: ${found.message}`;
  return new TryItNowError('store_unavailable', message, { cause: error });
}

/**
 * Turns what the client throws into store_unavailable, except what a script or command was answered with
 * because it is wrong itself.
 */
export function storeError(error: unknown): unknown {
  const refusal = refusalOf(error);
  if (refusal === undefined && error instanceof Error && error.name === 'ReplyError') return error;
  const message =
    refusal === undefined
      ? `Valkey does not answer (${describeError(error)})`
      : `Valkey ${refusal.what} (${describeError(error)}); ${refusal.remedy}`;
  return new TryItNowError('store_unavailable', message, { cause: error, retryAfterMs: RETRY_AFTER_MS });
}

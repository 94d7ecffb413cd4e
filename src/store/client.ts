import type { Redis as Valkey } from 'iovalkey';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { backoffMs } from '../lifecycle/backoff.ts';
import { PatientValkey } from './patient-valkey.ts';
import { refusalOf } from './refusals.ts';

export interface ValkeyOptions {
  readonly host: string;
  readonly port: number;
  readonly password: string | undefined;
  readonly log: Log;
}

/** A visitor should rather hear "try again" than wait for a store that does not answer. */
export const COMMAND_TIMEOUT_MS = 2_000;
/** How often a server that still reads its data in is asked whether it is done. */
const LOADING_RETRY_MS = 500;
const RETRY_AFTER_MS = 2_000;
/**
 * One connection that fails fast while Valkey is unavailable and comes back by itself.
 * Throws store_unavailable when the first connection cannot be made.
 */
export async function connectValkey(options: ValkeyOptions): Promise<Valkey> {
  const { host, port, password, log } = options;
  let connected = false;
  const client = new PatientValkey({
    host,
    port,
    ...(password === undefined ? {} : { password }),
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    answerWithinMs: COMMAND_TIMEOUT_MS,
    connectTimeout: COMMAND_TIMEOUT_MS,
    maxLoadingRetryTime: LOADING_RETRY_MS,
    retryStrategy: (attempt) => (connected ? backoffMs(attempt, { baseMs: 50, maxMs: 1_000 }) : null),
  });
  let lastError: unknown;
  let down = false;
  client.on('error', (error) => {
    lastError = error;
    if (connected && !down)
      log.error({ address: `${host}:${port}`, reason: describeError(error) }, 'Valkey connection lost; reconnecting');
    down = true;
  });
  client.on('ready', () => {
    if (down && connected) log.info({ address: `${host}:${port}` }, 'Valkey connection is back');
    down = false;
  });
  try {
    await client.connect();
    await client.ping();
  } catch (error) {
    client.disconnect();
    throw unavailable(error, lastError, `${host}:${port}`);
  }
  connected = true;
  return client;
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
  return new TryItNowError(
    'store_unavailable',
    refusal === undefined
      ? `Valkey does not answer at ${address} (${describeError(lastError ?? error)}); start it or set VALKEY_ADDR`
      : `Valkey at ${address} ${refusal.what} (${describeError(answer)}); ${refusal.remedy}`,
    { cause: error },
  );
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

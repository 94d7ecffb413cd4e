import { Redis as Valkey } from 'iovalkey';
import { describeError } from '../domain/errors.ts';
import { withDeadline } from '../lifecycle/deadline.ts';
import { connectionOptions } from './connector.ts';
import { refusalOf } from './refusals.ts';
import { endpointText, type Endpoint, type SentinelAccess, type ValkeyTls } from './valkey-access.ts';

export interface SentinelQuestion extends SentinelAccess {
  readonly tls: ValkeyTls | undefined;
  /** For each of them. */
  readonly timeoutMs: number;
}

/** Asks all at once, so that one that hangs costs nothing, and believes the first. Throws NoPrimary. */
export async function findPrimary(question: SentinelQuestion): Promise<Endpoint> {
  const answered = new AbortController();
  try {
    return await Promise.any(question.endpoints.map((endpoint) => askForPrimary(endpoint, question, answered.signal)));
  } catch (error) {
    throw new NoPrimary(question, (error as AggregateError).errors);
  } finally {
    answered.abort();
  }
}

/** None of the Sentinels named one. */
export class NoPrimary extends Error {
  constructor({ endpoints, master }: SentinelAccess, reasons: readonly unknown[]) {
    const each = endpoints.map((endpoint, at) => `${endpointText(endpoint)} ${whyNot(reasons[at], master)}`);
    super(`no Sentinel names the primary: ${each.join('; ')}`);
  }
}

/** A clause about a Sentinel that did not name the primary, with what to do. */
function whyNot(error: unknown, master: string): string {
  const said = describeError(error);
  if (error instanceof UnknownMaster)
    return (
      `knows none called ${master}: name it in VALKEY_URL as \`sentinel monitor\` does ` +
      '(`valkey-cli -p 26379 sentinel masters` lists them)'
    );
  if (/^(NOAUTH|WRONGPASS|ERR AUTH)/.test(said))
    return `refuses the login (${said}): set VALKEY_SENTINEL_PASSWORD, and VALKEY_SENTINEL_USER where it has users`;
  if (said.startsWith('NOPERM'))
    return `does not let this user ask (${said}): it needs \`+auth +sentinel|get-master-addr-by-name\``;
  if (/^ERR unknown command/.test(said)) return 'is no Sentinel: VALKEY_URL needs their addresses, mostly port 26379';
  const refusal = refusalOf(error);
  if (refusal !== undefined) return `${refusal.what} (${said}): ${refusal.remedy}`;
  const hint = hasHungUp(error) ? ': where it speaks TLS alone, begin VALKEY_URL with valkeys+sentinel://' : '';
  return `does not answer (${said})${hint}`;
}

/** What listens there took the connection and ended it, as a Valkey that speaks TLS alone does at the first word. */
export function hasHungUp(error: unknown): boolean {
  return error instanceof Error && /^(read ECONNRESET|Connection is closed\.)$/.test(error.message);
}

class UnknownMaster extends Error {}

/** What one of the Sentinels says. */
export interface SentinelView {
  readonly endpoint: Endpoint;
  /** Whom it calls the primary, or why it does not. */
  readonly primary: Endpoint | { readonly why: string };
  /** Why it could not have a replica take over; undefined: it could, or does not tell. */
  readonly noQuorum: string | undefined;
}

/** All of them, also those that do not answer. Never rejects. */
export function viewSentinels(question: SentinelQuestion): Promise<readonly SentinelView[]> {
  return Promise.all(
    question.endpoints.map(async (endpoint): Promise<SentinelView> => {
      try {
        const primary = await askForPrimary(endpoint, question);
        const refusal: unknown = await askSentinel(endpoint, question, ['CKQUORUM', question.master]).catch(
          (error: unknown) => error,
        );
        const said = refusal instanceof Error ? refusal.message : '';
        return { endpoint, primary, noQuorum: said.startsWith('NOQUORUM') ? said : undefined };
      } catch (error) {
        return { endpoint, primary: { why: whyNot(error, question.master) }, noQuorum: undefined };
      }
    }),
  );
}

/** Throws what went wrong with this one. */
async function askForPrimary(endpoint: Endpoint, question: SentinelQuestion, signal?: AbortSignal): Promise<Endpoint> {
  const { master } = question;
  const found = await askSentinel(endpoint, question, ['GET-MASTER-ADDR-BY-NAME', master], signal);
  if (!Array.isArray(found)) throw new UnknownMaster(`it knows no ${master}`);
  return { host: String(found[0]), port: Number(found[1]) };
}

/** Over a connection of its own. Throws what it answers that is an error, and why it does not answer. */
async function askSentinel(
  endpoint: Endpoint,
  { user, password, tls, timeoutMs }: SentinelQuestion,
  words: readonly string[],
  signal?: AbortSignal,
): Promise<unknown> {
  const client = new Valkey({
    ...connectionOptions({
      locate: () => Promise.resolve(endpoint),
      tls,
      handshakeMs: timeoutMs,
      retryStrategy: () => null,
      wantsPrimary: false,
    }),
    lazyConnect: true,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  let reason: unknown;
  client.on('error', (error) => {
    reason ??= error;
  });
  const leave = (): void => client.disconnect();
  signal?.addEventListener('abort', leave, { once: true });
  const ask = async (): Promise<unknown> => {
    await client.connect();
    if (password !== undefined) await client.call('AUTH', ...(user === undefined ? [] : [user]), password);
    return client.call('SENTINEL', ...words);
  };
  try {
    return await withDeadline(2 * timeoutMs, ask(), () => {
      throw new Error(`it has said nothing for ${2 * timeoutMs} ms`);
    });
  } catch (error) {
    // Why the connection failed says more than that it is closed.
    throw hasHungUp(error) ? (reason ?? error) : error;
  } finally {
    signal?.removeEventListener('abort', leave);
    leave();
  }
}

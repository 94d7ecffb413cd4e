import { text } from 'node:stream/consumers';
import Type, { type Static, type TSchema } from 'typebox';
import Value from 'typebox/value';
import { readEnvironment, readTextFile, type Environment } from '../config/environment.ts';
import { ERROR_CATALOGUE, TryItNowError, describeError, type ErrorCode } from '../domain/errors.ts';
import { keysOfPersons } from '../domain/operator-role.ts';
import { keyFingerprint } from '../http/api-keys.ts';

/** Most answers take milliseconds; a retry of all dead tasks, or a purge, may take longer. */
const TIMEOUT_MS = 60_000;
const CONNECTION_FAILURES: readonly string[] = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EPIPE',
];
const PROBLEM = Type.Object({ code: Type.String(), detail: Type.String() });
type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

interface Question {
  readonly method: Method;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}
interface Answer {
  readonly status: number;
  readonly body: string;
}

/**
 * The admin API as commands use it. Everything throws admin_unavailable when nothing of ours answers, and
 * what the API refuses with.
 */
export class AdminClient {
  readonly url: string;
  readonly #key: string;
  /** Where the key comes from, for who may too little with it. */
  readonly #whence: string;
  /** What is said before something changes under a key that nobody named; said once. */
  #notice: string | undefined;

  /** Throws invalid_config for settings that are wrong, key_missing without a key. */
  constructor(env: Environment) {
    const { values, problems } = readEnvironment(env, readTextFile);
    const ours = problems.filter((problem) => /^(ADMIN_|OPERATOR_KEY)/.test(problem));
    if (ours.length > 0) throw new TryItNowError('invalid_config', ours.join('\n'));
    const { host, port } = values.ADMIN_ADDR;
    this.url = values.ADMIN_URL ?? `http://${reachable(host)}:${port}`;
    const known = keysOfPersons(values.OPERATOR_KEYS ?? []);
    const key = values.OPERATOR_KEY ?? known[0]?.key;
    if (key === undefined) {
      throw new TryItNowError(
        'key_missing',
        "Operators need a key, and none is set; set OPERATOR_KEY_FILE (or OPERATOR_KEY) to one of the server's " +
          'OPERATOR_KEYS. `try-it-now up` prints where its own is',
      );
    }
    this.#key = key;
    this.#whence =
      values.OPERATOR_KEY === undefined
        ? 'No key of OPERATOR_KEYS here may more; set OPERATOR_KEY_FILE to one that may'
        : 'OPERATOR_KEY or OPERATOR_KEY_FILE has this key; set it to one that may';
    if (values.OPERATOR_KEY === undefined && known[0] !== undefined && known.length > 1)
      this.#notice =
        `As ${keyFingerprint(key)}, ${known[0].role}: of the ${known.length} OPERATOR_KEYS here, the first that may ` +
        'most. Set OPERATOR_KEY_FILE to a key of your own to act as yourself.\n';
  }

  async ask<T extends TSchema>(schema: T, method: Method, path: string, body?: object): Promise<Static<T>> {
    const json = this.#parsed(await this.#send(method, path, body));
    if (!Value.Check(schema, json)) throw this.#stranger();
    return json;
  }

  async text(path: string): Promise<string> {
    return (await this.#send('GET', path, undefined)).body;
  }

  /** For what has no answer but that it was done. */
  async send(method: Method, path: string): Promise<void> {
    await this.#send(method, path, undefined);
  }

  async #send(method: Method, path: string, body: object | undefined): Promise<Answer> {
    if (method !== 'GET' && this.#notice !== undefined) {
      process.stderr.write(this.#notice);
      this.#notice = undefined;
    }
    const answer = await send(`${this.url}/admin/v1${path}`, {
      method,
      headers: { 'x-api-key': this.#key, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    }).catch((error: unknown) => {
      throw this.#unreachable(error, method);
    });
    if (answer.status < 400) return answer;
    throw this.#refusal(this.#parsed(answer));
  }

  #parsed({ body }: Answer): unknown {
    try {
      return JSON.parse(body);
    } catch (error) {
      throw this.#stranger(error);
    }
  }

  #unreachable(error: unknown, method: Method): TryItNowError {
    if (error instanceof TooSlow && method !== 'GET')
      return new TryItNowError(
        'admin_unavailable',
        `The admin API at ${this.url} has not answered within ${TIMEOUT_MS / 1_000} s. What was asked for may still ` +
          'be going on there, and come to its end: look before you ask again',
        { cause: error },
      );
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    const why = CONNECTION_FAILURES.includes(code) ? `nothing answers there (${code})` : describeError(error);
    return new TryItNowError(
      'admin_unavailable',
      `The admin API at ${this.url} cannot be asked: ${why}. Start the server (\`try-it-now doctor\` tells ` +
        'what it lacks), or set ADMIN_URL to its ADMIN_ADDR',
      { cause: error },
    );
  }

  #stranger(cause?: unknown): TryItNowError {
    return new TryItNowError(
      'admin_unavailable',
      `What answers at ${this.url} is no admin API of this version; set ADMIN_URL to the server's ADMIN_ADDR, ` +
        "and use the server's own version of this program",
      { cause },
    );
  }

  #refusal(problem: unknown): TryItNowError {
    if (!Value.Check(PROBLEM, problem) || !Object.hasOwn(ERROR_CATALOGUE, problem.code)) return this.#stranger();
    const code = problem.code as ErrorCode;
    // The public listener says so of every address of operators.
    if (code === 'unknown_route') return this.#stranger();
    if (code === 'key_wrong')
      return new TryItNowError(
        code,
        `The server at ${this.url} does not accept this operator key; use one of its OPERATOR_KEYS in ` +
          'OPERATOR_KEY_FILE (or OPERATOR_KEY). A key of visitors (API_KEY) will not do',
      );
    return new TryItNowError(code, code === 'role_too_low' ? `${problem.detail}. ${this.#whence}` : problem.detail);
  }
}

class TooSlow extends Error {}

/** A listener on every address is asked over loopback. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

/**
 * By Node's own client, which is there already: to load another one takes a command a fifth of its time. Rejects when
 * nothing answers, or not within 60 s.
 */
async function send(url: string, { method, headers, body }: Question): Promise<Answer> {
  const { request } = url.startsWith('https:') ? await import('node:https') : await import('node:http');
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers, agent: false, timeout: TIMEOUT_MS }, (answer) => {
      text(answer).then((read) => resolve({ status: answer.statusCode ?? 0, body: read }), reject);
    });
    asked.once('timeout', () => asked.destroy(new TooSlow(`it did not answer within ${TIMEOUT_MS / 1_000} s`)));
    asked.once('error', reject);
    asked.end(body);
  });
}

import { describeError, type ErrorCode, type TryItNowError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { withoutSecrets } from '../domain/visit-token.ts';

const QUIET_MS = 1_000;
/** Everyday refusals: they are counted as metrics, a line each would drown the rest. */
const EXPECTED: ReadonlySet<ErrorCode> = new Set(['pool_empty', 'pool_paused', 'shutting_down']);

/**
 * Logs the failures that are ours. An unforeseen one always gets its line, because its caller was told to quote the
 * request id; of a known one (the store is down, say) a line a second with a count is enough under any load.
 */
export class FailureLog {
  readonly #log: Log;
  readonly #now: () => number;
  readonly #seen = new Map<ErrorCode, { atMs: number; unlogged: number }>();

  constructor(log: Log, now: () => number = Date.now) {
    this.#log = log;
    this.#now = now;
  }

  record(error: TryItNowError, request: { readonly id: string; readonly method: string; readonly url: string }): void {
    const fields = {
      requestId: request.id,
      method: request.method,
      path: withoutSecrets(request.url).slice(0, 200),
      code: error.code,
    };
    if (error.code === 'internal_error') {
      this.#log.error({ ...fields, err: error.cause ?? error }, 'Request failed unexpectedly');
      return;
    }
    if (error.status < 500 || EXPECTED.has(error.code)) {
      this.#log.debug({ ...fields, reason: error.message }, 'Request refused');
      return;
    }
    const last = this.#seen.get(error.code);
    if (last !== undefined && this.#now() - last.atMs < QUIET_MS) {
      last.unlogged += 1;
      return;
    }
    this.#seen.set(error.code, { atMs: this.#now(), unlogged: 0 });
    this.#log.warn(
      { ...fields, reason: describeError(error), alikeSinceLastLine: last?.unlogged ?? 0 },
      'Request failed',
    );
  }
}

import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { TryItNowError } from '../domain/errors.ts';

/** Unix seconds in base 36, and 128 bits. */
const TOKEN = /^([0-9a-z]{1,10})\.([\w-]{22})$/;
const PROOF_LENGTH = 22;

/**
 * What opens one instance's countdown where no API key can be sent: an EventSource has no headers, and a browser must
 * not have the key. It is bound to the instance and runs out; nothing is kept for it, every server with the same keys
 * reads it, and with a key its tokens go too. It lets nobody do anything else.
 */
export class CountdownTokens {
  readonly #keys: readonly Buffer[];

  constructor(apiKeys: readonly string[]) {
    this.#keys = apiKeys.map((key) =>
      Buffer.from(hkdfSync('sha256', key, Buffer.alloc(0), 'try-it-now countdown token', 32)),
    );
  }

  /** Undefined where the API is open, and nothing is needed. */
  issue(id: string, runsOutAtMs: number): string | undefined {
    const [key] = this.#keys;
    if (key === undefined) return undefined;
    const runsOut = Math.ceil(runsOutAtMs / 1000).toString(36);
    return `${runsOut}.${proof(key, id, runsOut)}`;
  }

  /** Until when (ms) the token opens this instance's countdown. Throws token_wrong. */
  check(token: string, id: string): number {
    const [, runsOut = '', given = ''] = TOKEN.exec(token) ?? [];
    let match = false;
    // Every key is tried, so the time taken does not tell which one it was.
    for (const key of this.#keys)
      match = (sameLength(given) && timingSafeEqual(Buffer.from(given), Buffer.from(proof(key, id, runsOut)))) || match;
    if (!match) throw new TryItNowError('token_wrong', 'The token in the address was not made for this instance');
    return Number.parseInt(runsOut, 36) * 1000;
  }
}

function sameLength(given: string): boolean {
  return given.length === PROOF_LENGTH;
}

function proof(key: Buffer, id: string, runsOut: string): string {
  return createHmac('sha256', key).update(`${id} ${runsOut}`).digest('base64url').slice(0, PROOF_LENGTH);
}

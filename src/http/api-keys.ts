import { createHash, timingSafeEqual } from 'node:crypto';
import { TryItNowError } from '../domain/errors.ts';
import type { OperatorKey } from '../domain/operator-role.ts';

/** Throws key_missing or key_wrong. */
export type KeyCheck = (presented: string | string[] | undefined) => void;

/** Undefined when no keys are set: the API is open then. */
export function keyCheck(keys: readonly string[]): KeyCheck | undefined {
  if (keys.length === 0) return undefined;
  const accepted = keys.map(digest);
  return (presented) => {
    if (typeof presented !== 'string' || presented === '') {
      throw new TryItNowError(
        'key_missing',
        'This API takes only requests with an API key; send yours in the X-API-Key header',
      );
    }
    const candidate = digest(presented);
    let match = false;
    // Digests have one length and every key is compared, so the time taken tells neither length nor place of a match.
    for (const key of accepted) match = timingSafeEqual(candidate, key) || match;
    if (!match)
      throw new TryItNowError(
        'key_wrong',
        'The API key in X-API-Key is not one this server accepts; check for a typo or a key that was replaced',
      );
  };
}

/** What a key may. */
export type KeyRights = Omit<OperatorKey, 'key'>;

/** Says what the key may, as OPERATOR_KEYS has it. Throws key_missing or key_wrong. */
export function operatorKeyCheck(
  keys: readonly OperatorKey[],
): ((presented: string | string[] | undefined) => KeyRights) | undefined {
  const check = keyCheck(keys.map(({ key }) => key));
  if (check === undefined) return undefined;
  const rights = new Map<string, KeyRights>(keys.map(({ key, ...may }) => [keyFingerprint(key), may]));
  return (presented) => {
    check(presented);
    return rights.get(keyFingerprint(presented)) ?? { role: 'viewer' };
  };
}

/** Tells keys apart in an audit log without giving one away. */
export function keyFingerprint(presented: string | string[] | undefined): string {
  return typeof presented === 'string' && presented !== ''
    ? `key:${digest(presented).toString('hex').slice(0, 8)}`
    : 'nobody';
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

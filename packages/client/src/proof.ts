import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

/** What a server under pressure wants solved first: the number that, behind the salt, has this SHA-256. */
export interface Challenge {
  readonly algorithm: string;
  readonly challenge: string;
  readonly maxnumber: number;
  readonly salt: string;
  readonly signature: string;
}

/** Numbers between two moments in which a page can do something else; well below a tenth of a second. */
const SLICE = 5_000;

/**
 * As ALTCHA encodes it. Without Web Crypto, which pages over plain http do not have. Throws the signal's reason, and
 * where no number solves it.
 */
export async function solve(task: Challenge, signal: AbortSignal): Promise<string> {
  const { algorithm, challenge, maxnumber, salt, signature } = task;
  for (let number = 0; number <= maxnumber; number += 1) {
    if (number % SLICE === 0) {
      await othersTurn();
      signal.throwIfAborted();
    }
    if (bytesToHex(sha256(utf8ToBytes(`${salt}${number}`))) === challenge)
      return btoa(JSON.stringify({ algorithm, challenge, number, salt, signature }));
  }
  throw new Error('The challenge of the server has no solution');
}

/** Not by a timer: browsers hold those of hidden pages to one a second. */
function othersTurn(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

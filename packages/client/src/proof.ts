/** What a server under pressure wants solved first: the number that, behind the salt, has this SHA-256. */
export interface Challenge {
  readonly algorithm: string;
  readonly challenge: string;
  readonly maxnumber: number;
  readonly salt: string;
  readonly signature: string;
}

/** Hashes on their way at once. */
const BATCH = 500;

/** As ALTCHA encodes it. Throws the signal's reason, and where no number solves it. */
export async function solve(task: Challenge, signal: AbortSignal): Promise<string> {
  const { algorithm, challenge, maxnumber, salt, signature } = task;
  for (let first = 0; first <= maxnumber; first += BATCH) {
    signal.throwIfAborted();
    const numbers = Array.from({ length: Math.min(BATCH, maxnumber - first + 1) }, (_, at) => first + at);
    const hashes = await Promise.all(numbers.map((number) => sha256(`${salt}${number}`)));
    const found = hashes.indexOf(challenge);
    if (found >= 0) return btoa(JSON.stringify({ algorithm, challenge, number: first + found, salt, signature }));
  }
  throw new Error('The challenge of the server has no solution');
}

async function sha256(text: string): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

import { createHash, createHmac, randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../domain/clock.ts';
import type { ChallengeStore } from './interfaces/challenge-store.ts';

/** As ALTCHA has it: find the number that, behind the salt, has this SHA-256. */
export interface Challenge {
  readonly algorithm: 'SHA-256';
  readonly challenge: string;
  readonly maxnumber: number;
  readonly salt: string;
  readonly signature: string;
}

type Solution = Omit<Challenge, 'maxnumber'> & { readonly number: number };

/** A slow phone needs seconds; whoever hoards solutions has them for this long. */
const LASTS_MS = 5 * 60_000;
/** Each harmful end doubles the work, up to sixteen times: a phone then takes some 15 s. */
const MOST_DOUBLINGS = 4;
/** Of base64; a solution has some 400. */
const MAX_SOLUTION_LENGTH = 2_000;

/**
 * Challenges in the format of ALTCHA (version 1), each for one purpose, and worth something once. Made here, since it
 * is one hash and one signature.
 */
export class ProofOfWork {
  readonly #store: ChallengeStore;
  readonly #clock: Clock;
  readonly #maxNumber: number;

  /** `maxNumber`: half as many tries are needed on average. */
  constructor(options: { readonly store: ChallengeStore; readonly clock: Clock; readonly maxNumber: number }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#maxNumber = options.maxNumber;
  }

  /** `harmfulEnds`: how many the work is for; a solution says so. Throws store_unavailable. */
  async challenge(purpose: string, harmfulEnds = 0): Promise<Challenge> {
    const maxNumber = this.#maxNumber * 2 ** Math.min(harmfulEnds, MOST_DOUBLINGS);
    const parameters = new URLSearchParams({
      expires: String(Math.ceil((this.#clock.now() + LASTS_MS) / 1_000)),
      for: digest(purpose),
      ends: String(harmfulEnds),
    });
    // The last sign keeps digits of the number from being taken for a part of the salt.
    const salt = `${randomBytes(12).toString('hex')}?${parameters.toString()}&`;
    const challenge = hash(salt, randomInt(maxNumber + 1));
    const signature = sign(challenge, await this.#store.secret());
    return { algorithm: 'SHA-256', challenge, maxnumber: maxNumber, salt, signature };
  }

  /**
   * For how many harmful ends this proves work, where it solves a challenge of ours for this purpose, for the first
   * time; else undefined. Throws store_unavailable.
   */
  async redeem(encoded: string, purpose: string): Promise<number | undefined> {
    const solution = decoded(encoded);
    if (solution === undefined) return undefined;
    const { challenge, salt, number, signature } = solution;
    const parameters = new URLSearchParams(salt.slice(salt.indexOf('?') + 1));
    if (parameters.get('for') !== digest(purpose)) return undefined;
    if (!(Number(parameters.get('expires')) * 1_000 > this.#clock.now())) return undefined;
    if (!salt.endsWith('&') || hash(salt, number) !== challenge) return undefined;
    if (!isSame(signature, sign(challenge, await this.#store.secret()))) return undefined;
    const isFirst = await this.#store.spend(challenge, 2 * LASTS_MS);
    return isFirst ? Number(parameters.get('ends')) : undefined;
  }
}

function hash(salt: string, number: number): string {
  return createHash('sha256').update(`${salt}${number}`).digest('hex');
}

function sign(challenge: string, secret: string): string {
  return createHmac('sha256', secret).update(challenge).digest('hex');
}

function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function digest(purpose: string): string {
  return createHash('sha256').update(purpose).digest('base64url').slice(0, 22);
}

/** Undefined for what is none. */
function decoded(encoded: string): Solution | undefined {
  if (encoded.length > MAX_SOLUTION_LENGTH) return undefined;
  try {
    const value = JSON.parse(Buffer.from(encoded, 'base64').toString()) as Partial<Solution> | null;
    const { algorithm, challenge, number, salt, signature } = value ?? {};
    if (algorithm !== 'SHA-256' || typeof challenge !== 'string' || typeof number !== 'number') return undefined;
    if (typeof salt !== 'string' || typeof signature !== 'string') return undefined;
    return { algorithm, challenge, number, salt, signature };
  } catch {
    return undefined;
  }
}

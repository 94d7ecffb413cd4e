import { RCODE, type Question, type Reply } from '../../dns/reply.ts';
import type { Clock } from '../../domain/clock.ts';
import type { Destination, LookupOutcome } from '../../domain/egress.ts';
import { describeError } from '../../domain/errors.ts';
import type { Log } from '../../domain/log.ts';
import type { Admission } from './address-sets.ts';
import { isOutside } from './public-addresses.ts';

export interface FoundAddress {
  readonly address: string;
  /** In s. */
  readonly ttl: number;
}

/** What apps keep an address for beyond its time: connection pools, and runtimes that never ask again soon. In s. */
const GRACE_S = 600;
/** A name may be asked of the host's name server this often. In s. */
const LEAST_TTL_S = 5;
const MOST_TTL_S = 86_400;
/** So that an answer always fits into a datagram. */
const MOST_ADDRESSES = 16;

interface Found {
  readonly kind: 'answered' | 'private' | 'unknown' | 'failed';
  readonly addresses: readonly string[];
  readonly untilMs: number;
}

export interface AllowedNamesOptions {
  readonly destinations: readonly Destination[];
  /** IPv4 addresses, whatever aliases the name has. Rejects with the codes of node:dns. */
  readonly lookUp: (host: string) => Promise<readonly FoundAddress[]>;
  /** Lets instances get there; nothing is answered before. */
  readonly admit: (admissions: readonly Admission[]) => Promise<void>;
  readonly now: Clock['now'];
  readonly log: Log;
}

/**
 * Answers for these names alone, and lets instances reach what it answers for as long as that holds. Nothing else of a
 * question goes anywhere: neither other names nor other types carry data out.
 */
export class AllowedNames {
  readonly #options: AllowedNamesOptions;
  #destinations: ReadonlyMap<string, readonly Destination[]>;
  readonly #found = new Map<string, Found>();
  readonly #asking = new Map<string, Promise<Found>>();

  constructor(options: AllowedNamesOptions) {
    this.#options = options;
    this.#destinations = byHost(options.destinations);
  }

  /** From now on these, and no others. What is to be open then, of what was answered and still holds. */
  change(destinations: readonly Destination[]): readonly Admission[] {
    this.#destinations = byHost(destinations);
    const now = this.#options.now();
    for (const host of this.#found.keys()) if (!this.#destinations.has(host)) this.#found.delete(host);
    return [...this.#found].flatMap(([host, found]) => this.#admissions(host, found, now));
  }

  async answer(question: Question): Promise<Reply<LookupOutcome>> {
    const host = question.name.toLowerCase();
    if (question.class !== 'IN') return { rcode: RCODE.refused, answers: [], outcome: 'refused' };
    if (!this.#destinations.has(host)) return { rcode: RCODE.nameError, answers: [], outcome: 'refused' };
    if (question.type !== 'A') return { rcode: RCODE.ok, answers: [], outcome: 'no_data' };
    const { kind, addresses, untilMs } = await this.#find(host);
    if (kind === 'failed') return { rcode: RCODE.serverFailure, answers: [], outcome: kind };
    if (kind !== 'answered') return { rcode: RCODE.nameError, answers: [], outcome: kind };
    const ttl = Math.max(1, Math.ceil((untilMs - this.#options.now()) / 1000));
    return {
      rcode: RCODE.ok,
      answers: addresses.map((data) => ({ type: 'A', class: 'IN', name: question.name, ttl, data })),
      outcome: kind,
    };
  }

  /** Once more what was answered and still holds: for a set that somebody emptied. Rejects as `admit` does. */
  async admitAgain(): Promise<void> {
    const now = this.#options.now();
    await this.#options.admit([...this.#found].flatMap(([host, found]) => this.#admissions(host, found, now)));
  }

  async #find(host: string): Promise<Found> {
    const known = this.#found.get(host);
    if (known !== undefined && known.untilMs > this.#options.now()) return known;
    const asking = this.#asking.get(host) ?? this.#ask(host).finally(() => this.#asking.delete(host));
    this.#asking.set(host, asking);
    return asking;
  }

  async #ask(host: string): Promise<Found> {
    const { now, log } = this.#options;
    const found = await this.#lookUp(host);
    if (found.kind === 'private' && this.#found.get(host)?.kind !== 'private')
      log.warn({ host }, 'A name that instances may reach leads to no address outside; they do not get there');
    try {
      await this.#options.admit(this.#admissions(host, found, now()));
    } catch (error) {
      log.error({ host, reason: describeError(error) }, 'What a name leads to could not be opened for instances');
      return { kind: 'failed', addresses: [], untilMs: now() };
    }
    this.#found.set(host, found);
    return found;
  }

  async #lookUp(host: string): Promise<Found> {
    const { lookUp, now, log } = this.#options;
    const until = (ttl: number): number => now() + Math.min(Math.max(ttl, LEAST_TTL_S), MOST_TTL_S) * 1000;
    try {
      const all = await lookUp(host);
      const outside = all.filter(({ address }) => isOutside(address)).slice(0, MOST_ADDRESSES);
      if (outside.length === 0) return { kind: 'private', addresses: [], untilMs: until(0) };
      const addresses = outside.map(({ address }) => address);
      return { kind: 'answered', addresses, untilMs: until(Math.min(...outside.map(({ ttl }) => ttl))) };
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === 'ENOTFOUND' || code === 'ENODATA') return { kind: 'unknown', addresses: [], untilMs: until(0) };
      log.warn({ host, reason: describeError(error) }, "The host's name server did not say where a name leads");
      return { kind: 'failed', addresses: [], untilMs: until(0) };
    }
  }

  #admissions(host: string, { addresses, untilMs }: Found, now: number): Admission[] {
    if (untilMs <= now) return [];
    const forSeconds = Math.ceil((untilMs - now) / 1000) + GRACE_S;
    const places = this.#destinations.get(host) ?? [];
    return addresses.flatMap((address) =>
      places.map(({ port, protocol }) => ({ address, port, protocol, forSeconds })),
    );
  }
}

function byHost(destinations: readonly Destination[]): ReadonlyMap<string, readonly Destination[]> {
  return new Map(destinations.map(({ host }) => [host, destinations.filter((each) => each.host === host)]));
}

import { TryItNowError } from '../domain/errors.ts';
import type { GateMode, GateReason } from '../domain/gate-mode.ts';
import type { Log } from '../domain/log.ts';
import { isBrowser } from '../domain/owner.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import type { Inventory, PoolStats } from './interfaces/inventory.ts';
import type { Observer } from './interfaces/observer.ts';
import type { ProofOfWork } from './proof-of-work.ts';

/** What who asks for an instance has proven, or need not prove. */
export interface Proven {
  /** They have some work to prove still, whoever they are. */
  readonly unproven: boolean;
  /** For how many harmful ends they have proven work. */
  readonly provenFor: number;
}

/** Who asks for an instance. */
interface Asking {
  readonly clientKey: string;
  readonly owner: string;
  readonly solution?: string | undefined;
}

/** Known, or never asked. */
export const EXEMPT: Proven = { unproven: false, provenFor: Number.MAX_SAFE_INTEGER };

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** From when on it was needed last: it does not flicker. */
const STAYS_MS = MINUTE_MS;
/** Of the target. */
const LOW_STOCK = 1 / 4;
/** Of all there may be. */
const LOW_ROOM = 1 / 5;
/** Against the average of the last hour. */
const UNUSUAL_FACTOR = 4;
/** In a minute; fewer are nothing unusual anywhere. */
const UNUSUAL_LEAST = 10;

interface Watched {
  raisedUntil: number;
  why: string | undefined;
  reason: GateReason | undefined;
  /** A pool that is being filled for the first time is not being emptied. */
  hadStock: boolean;
  /** How many instances were taken in each second of the last minute, the oldest in front. */
  readonly taken: Map<number, number>;
  /** In a minute, over the last hour. */
  usual: number;
  lookedAt: number;
}

/**
 * Whether who wants an instance has to prove some work first: free while there are plenty, so that an honest visitor
 * meets it at worst for a moment, and whoever takes many pays for each.
 */
export class Gate {
  readonly #mode: GateMode;
  readonly #catalogue: Catalogue;
  readonly #inventory: Pick<Inventory, 'stats'>;
  readonly #proof: Pick<ProofOfWork, 'challenge' | 'redeem'>;
  readonly #observer: Pick<Observer, 'gate' | 'challenged'>;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #watched = new Map<string, Watched>();

  constructor({
    mode,
    catalogue,
    inventory,
    proof,
    observer,
    log,
    now = () => performance.now(),
  }: {
    readonly mode: GateMode;
    readonly catalogue: Catalogue;
    readonly inventory: Pick<Inventory, 'stats'>;
    readonly proof: Pick<ProofOfWork, 'challenge' | 'redeem'>;
    readonly observer: Pick<Observer, 'gate' | 'challenged'>;
    readonly log: Log;
    readonly now?: () => number;
  }) {
    this.#mode = mode;
    this.#catalogue = catalogue;
    this.#inventory = inventory;
    this.#proof = proof;
    this.#observer = observer;
    this.#log = log;
    this.#now = now;
  }

  /** Looks at the stock; to be called each second or so. Throws store_unavailable. */
  async look(): Promise<void> {
    const templates = this.#catalogue.all();
    if (this.#mode === 'auto') {
      const stats = await this.#inventory.stats(templates);
      for (const { name } of templates) this.#judge(name, stats.get(name));
      const offered = new Set(templates.map(({ name }) => name));
      for (const name of this.#watched.keys()) if (!offered.has(name)) this.#watched.delete(name);
    }
    for (const { name } of templates) this.#observer.gate(name, this.#reason(name));
  }

  isRaised(template: string): boolean {
    if (this.#mode !== 'auto') return this.#mode === 'on';
    return (this.#watched.get(template)?.raisedUntil ?? 0) > this.#now();
  }

  /** An instance was handed to somebody who is not known. */
  noteTaken(template: string): void {
    // Nobody asks how many there were.
    if (this.#mode !== 'auto') return;
    const { taken } = this.#of(template);
    const now = this.#now();
    const second = Math.floor(now / SECOND_MS);
    const count = taken.get(second);
    if (count === undefined) forgetBeforeLastMinute(taken, now);
    taken.set(second, (count ?? 0) + 1);
  }

  /** A solution that comes with the request is used up. Throws store_unavailable. */
  async judge(template: Template, { solution, ...asking }: Asking): Promise<Proven> {
    if (this.#mode === 'off') return EXEMPT;
    const unproven = this.isRaised(template.name);
    if (solution === undefined) return { unproven, provenFor: 0 };
    const provenFor = await this.#proof.redeem(solution, purpose(template, asking));
    this.#observer.challenged(template.name, provenFor === undefined ? 'refused' : 'solved');
    return provenFor === undefined ? { unproven, provenFor: 0 } : { unproven: false, provenFor };
  }

  /** What they are told, with the challenge: more work, the more of their visits did harm. Throws store_unavailable. */
  async demand(template: Template, asking: Asking, harmfulEnds: number): Promise<TryItNowError> {
    const challenge = await this.#proof.challenge(purpose(template, asking), harmfulEnds);
    this.#observer.challenged(template.name, 'given');
    const why =
      harmfulEnds === 0
        ? `instances of "${template.name}" are in demand`
        : `${harmfulEnds} of the last visits from here were ended because they harmed others`;
    return new TryItNowError(
      'challenge_required',
      asking.solution === undefined
        ? `${why}; solve the challenge and send the solution as \`altcha\``
        : 'the solution is wrong, too old, used already, for somebody else or for less work; solve this challenge',
      { details: { challenge } },
    );
  }

  #reason(template: string): GateReason | undefined {
    if (!this.isRaised(template)) return undefined;
    return this.#mode === 'on' ? 'always' : this.#watched.get(template)?.reason;
  }

  #judge(template: string, stats: PoolStats | undefined): void {
    const watched = this.#of(template);
    const now = this.#now();
    forgetBeforeLastMinute(watched.taken, now);
    const perMinute = [...watched.taken.values()].reduce((sum, count) => sum + count, 0);
    const low = stats === undefined ? undefined : lowStock(stats);
    watched.hadStock ||= stats !== undefined && low === undefined;
    const scarce = watched.hadStock ? low : undefined;
    const why =
      scarce ??
      (perMinute >= Math.max(UNUSUAL_LEAST, UNUSUAL_FACTOR * watched.usual)
        ? `${perMinute} were taken within a minute, and ${watched.usual.toFixed(1)} are usual`
        : undefined);
    watched.usual += (perMinute - watched.usual) * Math.min(1, (now - watched.lookedAt) / HOUR_MS);
    watched.lookedAt = now;
    const wasRaised = watched.why !== undefined;
    if (why !== undefined) {
      watched.raisedUntil = now + STAYS_MS;
      watched.why = why;
      watched.reason = scarce === undefined ? 'demand' : 'stock';
      if (!wasRaised) this.#log.info({ template, why }, 'Visitors have to prove some work before they get an instance');
    } else if (wasRaised && watched.raisedUntil <= now) {
      watched.why = undefined;
      this.#log.info({ template }, 'Visitors get instances without a proof of work again');
    }
  }

  #of(template: string): Watched {
    const known = this.#watched.get(template);
    if (known !== undefined) return known;
    const watched: Watched = {
      raisedUntil: 0,
      why: undefined,
      reason: undefined,
      hadStock: false,
      taken: new Map(),
      usual: 0,
      lookedAt: this.#now(),
    };
    this.#watched.set(template, watched);
    return watched;
  }
}

function forgetBeforeLastMinute(taken: Map<number, number>, now: number): void {
  for (const second of taken.keys()) {
    if (second * SECOND_MS > now - MINUTE_MS) return;
    taken.delete(second);
  }
}

function lowStock({ ready, waiting, target, assigned, leaving, capacity }: PoolStats): string | undefined {
  // Where none are kept ready, waiting for one is nothing unusual.
  if (target > 0 && (ready <= target * LOW_STOCK || waiting > 0))
    return `${ready} of ${target} are ready, and ${waiting} wait`;
  const room = capacity - assigned - leaving;
  return room <= capacity * LOW_ROOM ? `${room} of ${capacity} there may be are left` : undefined;
}

/** A solution is for this template and this visitor, at this address. */
function purpose({ name }: Template, { clientKey, owner }: Asking): string {
  return `${name}\n${clientKey}\n${isBrowser(owner) ? owner : ''}`;
}

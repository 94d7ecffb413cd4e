import type { Instance } from '../../domain/instance.ts';
import type { Template } from '../../domain/template.ts';
import type { Upstream } from './upstream.ts';

/** How many instances may be held at once; 0: any number. */
export interface HeldLimits {
  /** Of the client, as `networkOf` has it. */
  readonly network: string;
  readonly perClient: number;
  readonly perNetwork: number;
  readonly perOwner: number;
}

/** Who asks, and what for. */
export interface ClaimRequest {
  readonly template: Template;
  /** Whose limits are counted: a client address, IPv6 already cut to its /64. */
  readonly clientKey: string;
  readonly owner: string;
  /** Same owner, same key, still assigned: the same instance again. */
  readonly idempotencyKey: string | undefined;
  readonly ttlMs: number;
  /**
   * An instance of the same owner's that turned out to be dead: the new one takes its place in the
   * limits and under its key.
   */
  readonly replacing?: string | undefined;
  /** The embedding site it is counted for; DIRECT_SITE without it. */
  readonly site?: string;
  /**
   * Where there is none for this caller: takes a place among those who wait, or keeps the one the caller has. A place
   * is its owner's and its key's, as `ownersKey` has them.
   */
  readonly wait?: boolean;
  /** Without them, any number; what is taken is then not counted for later claims either. */
  readonly held?: HeldLimits | undefined;
  /** `lifted`: how often they come is not limited. */
  readonly rates?: 'counted' | 'lifted';
  /** What is ready on these nodes is left where it is. */
  readonly avoided?: readonly string[];
  /** They get again what they have, or what they wait for, and nothing new. */
  readonly unproven?: boolean;
  /** What harm that they did is remembered under, as `harmNames` has it: two at most; without, it is no matter. */
  readonly harmNames?: readonly string[];
  /** For how many harmful ends they have proven work; with more they are as good as unproven. */
  readonly provenFor?: number;
}

/** One of those that are held where no more may be. */
interface HeldInstance {
  readonly template: string;
  readonly deadlineMs: number;
}

export type HeldScope = 'client' | 'network' | 'owner';

export type ClaimOutcome = Answer & {
  /** The embedding sites of places that had lapsed, and were taken away on the way. */
  readonly lapsed?: readonly string[];
};

type Answer =
  | {
      readonly kind: 'taken' | 'again';
      readonly id: string;
      readonly label: string;
      readonly deadlineMs: number;
      readonly ttlMs: number;
      readonly node: string;
      /** Undefined for a node that has not announced itself. */
      readonly upstream: Upstream | undefined;
      /** Its activation gave a path for its visitor's first step, and nobody took it yet. */
      readonly hasLanding: boolean;
      /** No frame would show it. */
      readonly isBare: boolean;
      /** It was handed out in place of one that was dead, and counts against no limit. */
      readonly isReplacement: boolean;
      /** The embedding site it is counted for: of who waited, the one they came from. */
      readonly site: string;
      /** How long the caller had a place; absent for one who had none. */
      readonly waitedMs?: number;
    }
  | { readonly kind: 'empty'; readonly refill: Refill }
  /** The caller has a place; 1 is the first. `isNew`: from now on. */
  | { readonly kind: 'waiting'; readonly position: number; readonly isNew: boolean; readonly refill: Refill }
  | { readonly kind: 'paused'; readonly retryAfterMs: number; readonly reason: string | undefined }
  /** `harm`: several of their visits were ended for harm, and nothing is handed out to them for a while. */
  | { readonly kind: 'limited'; readonly window: 'hourly' | 'daily' | 'harm'; readonly retryAfterMs: number }
  /** As many are held as may be; `retryAfterMs`: until the first of them ends. */
  | {
      readonly kind: 'limited';
      readonly window: 'held';
      readonly retryAfterMs: number;
      readonly scope: HeldScope;
      readonly limit: number;
      readonly held: readonly HeldInstance[];
    }
  | { readonly kind: 'key_reused' }
  /** No replica of the store is known to have it, so it may be lost; `isNew`: it was ready until then. */
  | { readonly kind: 'unconfirmed'; readonly id: string; readonly isNew: boolean; readonly error: unknown }
  /** They have some work to prove first, for so many visits that were ended for harm. */
  | { readonly kind: 'unproven'; readonly harmfulEnds: number };

/**
 * What is done about an empty pool. `failing`: the breaker is open, the next start is tried after that time. `off`: its
 * target is 0. `full`: as many as there may be are in use or being cleaned up.
 */
export type Refill =
  | { readonly kind: 'preparing' }
  | { readonly kind: 'failing'; readonly failures: number; readonly retryInMs: number }
  | { readonly kind: 'off' }
  | { readonly kind: 'full'; readonly inUse: number };

/** `use`: nobody asked; it is used, and its template renews what is. */
export type ExtendCause = 'visitor' | 'use';

export type ExtendOutcome =
  | { readonly kind: 'extended'; readonly deadlineMs: number; readonly ttlMs: number; readonly generation: number }
  | { readonly kind: 'unknown' | 'not_assigned' | 'conflict' | 'others_wait' }
  | { readonly kind: 'limit'; readonly latestDeadlineMs: number };

/** An instance as a visitor may see it, with the store's own reading of the clock. */
export interface InstanceView {
  readonly instance: Instance;
  readonly nowMs: number;
  /** Undefined where nobody watches for use, and before somebody did. */
  readonly lastUsedMs?: number | undefined;
}

/** The fast path: one round trip each. */
export interface ClaimStore {
  claim(request: ClaimRequest): Promise<ClaimOutcome>;
  /**
   * Compare-and-set on the instance's generation. `maxMs` bounds the whole stay, counted from the claim;
   * `givesWay`: not while others wait.
   */
  extend(
    instance: Instance,
    byMs: number,
    maxMs: number,
    cause?: ExtendCause,
    givesWay?: boolean,
  ): Promise<ExtendOutcome>;
  /** One instance that was counted could not be used: it is taken off the client's limits. */
  uncountClaim(clientKey: string): Promise<void>;
  find(id: string): Promise<InstanceView | undefined>;
  /** The instance that a host name leads to. */
  findByLabel(label: string): Promise<InstanceView | undefined>;
  /** The path that the instance's activation gave for this owner's first step: once, and never again. */
  takeLanding(id: string, owner: string): Promise<string | undefined>;
  /**
   * Resolves once what was changed is not lost when another server takes the store's place; undefined where that is so
   * at once. To be called right after the change. Throws store_unavailable.
   */
  confirm(): Promise<void> | undefined;
  /** Unknown ids are left out. */
  findMany(ids: readonly string[]): Promise<ReadonlyMap<string, InstanceView>>;
}

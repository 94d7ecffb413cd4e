import { instanceUrl, type PublicAddress } from '../domain/address.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Catalogue } from '../domain/template.ts';
import type { Observer, TakeOutcome, Takes } from './ports.ts';

export interface AcquireRequest {
  /** Undefined: the default template. */
  readonly template: string | undefined;
  /** The client address whose rate limit counts; IPv6 already cut to its /64. */
  readonly subject: string;
  readonly owner: string;
  /** A repeat by the same owner gets the same instance while they still hold it. */
  readonly idempotencyKey: string | undefined;
}

export interface Acquired {
  readonly id: string;
  readonly template: string;
  readonly url: string;
  readonly expiresAtMs: number;
  readonly ttlMs: number;
  /** True when the same owner's earlier take was found by its idempotency key. */
  readonly again: boolean;
}

export interface AcquireParts {
  readonly catalogue: Catalogue;
  readonly takes: Takes;
  readonly observer: Observer;
  readonly address: PublicAddress;
  /** Called when stock went down, was found empty, or room for more came free. */
  readonly onDemand: () => void;
}

/** A warm container takes a few seconds to make; asking sooner than this is no use. */
const EMPTY_RETRY_MS = 2_000;

/**
 * Hands a ready instance over: one store round trip, nothing else is waited for.
 * Throws unknown_template, hourly_limit, daily_limit, pool_empty, idempotency_mismatch, store_unavailable.
 */
export async function acquire(parts: AcquireParts, request: AcquireRequest): Promise<Acquired> {
  const { catalogue, takes, observer, address, onDemand } = parts;
  const template = request.template === undefined ? catalogue.default : catalogue.get(request.template);
  if (template === undefined) throw new TryItNowError('unknown_template', `there is no template named "${request.template ?? ''}"`);

  const startedAt = performance.now();
  const { subject, owner, idempotencyKey } = request;
  let outcome: TakeOutcome;
  try {
    outcome = await takes.take({ template, subject, owner, idempotencyKey, ttlMs: template.ttl.defaultMs });
  } catch (error) {
    observer.take(template.name, 'error', performance.now() - startedAt);
    throw error;
  }
  observer.take(template.name, outcome.kind, performance.now() - startedAt);

  switch (outcome.kind) {
    case 'taken':
    case 'again': {
      if (outcome.kind === 'taken') onDemand();
      const { id, label, deadlineMs, ttlMs } = outcome;
      return { id, template: template.name, url: instanceUrl(address, label), expiresAtMs: deadlineMs, ttlMs, again: outcome.kind === 'again' };
    }
    case 'empty':
      onDemand();
      throw new TryItNowError('pool_empty', `no instance of "${template.name}" is ready right now; more are being prepared`, { retryAfterMs: EMPTY_RETRY_MS });
    case 'limited': {
      const { window, retryAfterMs } = outcome;
      throw new TryItNowError(`${window}_limit`, `this address has had its share of instances for ${window === 'hourly' ? 'this hour' : 'today'}`, { retryAfterMs });
    }
    case 'key_reused':
      throw new TryItNowError('idempotency_mismatch', `this idempotency key already stands for an instance of another template than "${template.name}"`);
  }
}

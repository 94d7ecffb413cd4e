import { TryItNowError } from '../domain/errors.ts';
import type { Catalogue } from '../domain/template.ts';
import { DIRECT_SITE } from '../domain/visit-event.ts';
import type { Admission } from './admission.ts';
import { find } from './find.ts';
import type { ClaimStore } from './interfaces/claim-store.ts';
import type { Observer } from './interfaces/observer.ts';

export interface Extended {
  readonly expiresAtMs: number;
  readonly ttlMs: number;
}

/**
 * Pushes the deadline out by `minutes`, cut at the template's longest stay and the instance's end of life.
 * While others wait, only who is known (`trusted`: by an API key) may. Throws unknown_instance, banned, not_assigned,
 * extension_limit, others_wait, and conflicting_change when it was changed twice meanwhile.
 */
export async function extend(
  deps: {
    readonly catalogue: Catalogue;
    readonly claimStore: ClaimStore;
    readonly admission: Pick<Admission, 'requireNotBanned' | 'givesWay'>;
    readonly observer: Pick<Observer, 'visitStep'>;
  },
  id: string,
  minutes: number,
  trusted = false,
): Promise<Extended> {
  // The first compare-and-set can lose against another extend; the second look tells which.
  for (let attempt = 1; attempt <= 2; attempt += 1) {
    const { instance } = await find(deps.claimStore, id);
    if (instance.client !== undefined) deps.admission.requireNotBanned(instance.client);
    const template = deps.catalogue.known(instance.template) ?? deps.catalogue.default;
    const givesWay = deps.admission.givesWay(instance.client, trusted);
    const outcome = await deps.claimStore.extend(instance, minutes * 60_000, template.ttl.maxMs, 'visitor', givesWay);
    switch (outcome.kind) {
      case 'extended':
        await deps.claimStore.confirm();
        deps.observer.visitStep(instance.template, instance.site ?? DIRECT_SITE, 'extended');
        return { expiresAtMs: outcome.deadlineMs, ttlMs: outcome.ttlMs };
      case 'unknown':
        throw new TryItNowError('unknown_instance', `there is no instance ${id}`);
      case 'not_assigned':
        throw new TryItNowError('not_assigned', `instance ${id} has ended or is ending; it cannot be extended`);
      case 'others_wait':
        throw new TryItNowError(
          'others_wait',
          `others wait for an instance of "${instance.template}", so ${id} ends when its time is up`,
          { retryAfterMs: 30_000 },
        );
      case 'limit':
        throw new TryItNowError(
          'extension_limit',
          `instance ${id} already runs as long as it may, until ${new Date(outcome.latestDeadlineMs).toISOString()}`,
        );
      case 'conflict':
    }
  }
  throw new TryItNowError('conflicting_change', `instance ${id} was changed by somebody else at the same time`, {
    retryAfterMs: 1_000,
  });
}

import type { Instance } from '../../domain/instance.ts';
import type { Lead } from '../../domain/lead.ts';

export type StepOutcome =
  | { readonly kind: 'noted'; readonly template: string; readonly site: string }
  /** It was noted before, or there is nothing to tell. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'unknown' }
  /** Of a lead: nobody is to be told, or what is to be told waits for NATS in too large a number. */
  | { readonly kind: 'nowhere' };

/** Steps that a visit takes once each, which pages tell of; until some time after its end. */
export interface VisitSteps {
  /** A visit that has ended not long ago, by its label. */
  findEnded(label: string): Promise<Instance | undefined>;
  callToActionClicked(visit: Instance): Promise<StepOutcome>;
  leadGiven(visit: Instance, lead: Lead): Promise<StepOutcome>;
  /** Keeps what somebody told who has no instance yet, for `forMs`, by their place (`ownersKey`). */
  keepLead(place: string, lead: Lead, forMs: number): Promise<void>;
  isLeadKept(place: string): Promise<boolean>;
  forgetLead(place: string): Promise<void>;
  /** What was kept is told, and kept no longer. */
  keptLeadGiven(visit: Pick<Instance, 'id' | 'label'>, place: string): Promise<StepOutcome>;
}

import { TryItNowError } from '../domain/errors.ts';
import type { Instance } from '../domain/instance.ts';
import type { Lead } from '../domain/lead.ts';
import type { StepOutcome } from './interfaces/visit-steps.ts';
import { recallVisit, type VisitStepDeps } from './visit.ts';

/** Longer than anybody waits for an instance. */
const KEPT_MS = 40 * 60_000;

/** What visitors tell of themselves: it goes to the webhooks, and stays nowhere else. */
export class Leads {
  readonly #deps: VisitStepDeps;

  constructor(deps: VisitStepDeps) {
    this.#deps = deps;
  }

  /** Of who has no instance yet, by their place, until `tellKept` or `forget`. Throws store_unavailable. */
  async keep(place: string, lead: Lead): Promise<void> {
    await this.#deps.visitSteps.keepLead(place, lead, KEPT_MS);
  }

  /** Throws store_unavailable. */
  isKept(place: string): Promise<boolean> {
    return this.#deps.visitSteps.isLeadKept(place);
  }

  /** Throws store_unavailable. */
  async forget(place: string): Promise<void> {
    await this.#deps.visitSteps.forgetLead(place);
  }

  /** What is kept for this place, if anything, belongs to this visit. Throws queue_unavailable, store_unavailable. */
  async tellKept(visit: Pick<Instance, 'id' | 'label'>, place: string): Promise<void> {
    this.#count(await this.#deps.visitSteps.keptLeadGiven(visit, place));
  }

  /** The first in a visit counts. Throws unknown_instance, queue_unavailable, store_unavailable. */
  async give(token: string, lead: Lead): Promise<void> {
    this.#count(await this.#deps.visitSteps.leadGiven(await recallVisit(this.#deps, token), lead));
  }

  /** Whose visit a token is, also for some time after its end. Throws unknown_instance, store_unavailable. */
  visitOf(token: string): Promise<Instance> {
    return recallVisit(this.#deps, token);
  }

  #count(outcome: StepOutcome): void {
    if (outcome.kind === 'noted') this.#deps.observer.visitStep(outcome.template, outcome.site, 'lead_given');
    if (outcome.kind === 'nowhere')
      throw new TryItNowError('queue_unavailable', 'What was told waits for NATS in too large a number to take more', {
        retryAfterMs: 10_000,
      });
  }
}

import { instanceUrl, type PublicAddress } from '../domain/address.ts';
import { TryItNowError } from '../domain/errors.ts';
import { fillLanding, landingFor } from '../domain/landing.ts';
import type { Instance } from '../domain/instance.ts';
import type { Catalogue } from '../domain/template.ts';
import { isVisitOf, labelOfVisit } from '../domain/visit-token.ts';
import type { ClaimStore, InstanceView } from './interfaces/claim-store.ts';
import type { Observer } from './interfaces/observer.ts';
import type { VisitSteps } from './interfaces/visit-steps.ts';

/** The running instance that a visitor's token is for. Throws unknown_instance, also once it has ended. */
export async function findVisit(claimStore: Pick<ClaimStore, 'findByLabel'>, token: string): Promise<InstanceView> {
  const label = labelOfVisit(token);
  const view = label === undefined ? undefined : await claimStore.findByLabel(label);
  if (view !== undefined) {
    const { id, state, owner, deadlineMs } = view.instance;
    const isRunning = state === 'assigned' && deadlineMs !== null && deadlineMs > view.nowMs;
    if (isRunning && owner !== null && isVisitOf(token, { id, label: view.instance.label, owner })) return view;
  }
  throw new TryItNowError('unknown_instance', 'this visit is over; its address opens nothing any more');
}

export interface VisitStepDeps {
  readonly claimStore: Pick<ClaimStore, 'findByLabel'>;
  readonly visitSteps: VisitSteps;
  readonly observer: Pick<Observer, 'visitStep'>;
}

/** As `findVisit`, but also for some time after its end. Throws unknown_instance. */
export async function recallVisit({ claimStore, visitSteps }: VisitStepDeps, token: string): Promise<Instance> {
  const label = labelOfVisit(token);
  if (label !== undefined) {
    const running = (await claimStore.findByLabel(label))?.instance;
    const visit = running?.state === 'assigned' ? running : await visitSteps.findEnded(label);
    if (visit?.owner != null && isVisitOf(token, { id: visit.id, label, owner: visit.owner })) return visit;
  }
  throw new TryItNowError('unknown_instance', 'this visit ended long ago; nothing is known of it any more');
}

/** The vendor's call to action was followed, for the first time in this visit. Throws unknown_instance. */
export async function callToActionClicked(deps: VisitStepDeps, token: string): Promise<void> {
  const outcome = await deps.visitSteps.callToActionClicked(await recallVisit(deps, token));
  if (outcome.kind === 'noted') deps.observer.visitStep(outcome.template, outcome.site, 'call_to_action_clicked');
}

/**
 * Where the visitor goes in: what the activation gave for the first step, the first time, and from then on where the
 * template says or `open` asks. Throws landing_not_allowed.
 */
export async function enter(
  deps: {
    readonly claimStore: Pick<ClaimStore, 'takeLanding'>;
    readonly catalogue: Catalogue;
    readonly address: PublicAddress;
  },
  { instance }: InstanceView,
  open: string | undefined,
): Promise<string> {
  const { id, label, owner } = instance;
  const template = deps.catalogue.known(instance.template);
  const path = template === undefined ? '/' : landingFor(template, open);
  const landing = owner === null ? undefined : await deps.claimStore.takeLanding(id, owner);
  return instanceUrl(deps.address, label, landing === undefined ? path : fillLanding(landing, path));
}

import { instanceUrl, type PublicAddress } from '../domain/address.ts';
import { TryItNowError } from '../domain/errors.ts';
import { fillLanding, landingFor } from '../domain/landing.ts';
import type { Catalogue } from '../domain/template.ts';
import { isVisitOf, labelOfVisit } from '../domain/visit-token.ts';
import type { ClaimStore, InstanceView } from './interfaces/claim-store.ts';

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
  const template = deps.catalogue.get(instance.template);
  const path = template === undefined ? '/' : landingFor(template, open);
  const landing = owner === null ? undefined : await deps.claimStore.takeLanding(id, owner);
  return instanceUrl(deps.address, label, landing === undefined ? path : fillLanding(landing, path));
}

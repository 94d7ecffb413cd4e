import { TryItNowError } from '../domain/errors.ts';
import type { Template } from '../domain/template.ts';
import { find } from './find.ts';
import type { ClaimStore, InstanceView } from './interfaces/claim-store.ts';
import type { Observer } from './interfaces/observer.ts';
import type { UsageStore } from './interfaces/usage-store.ts';

export interface UseDeps {
  readonly claimStore: ClaimStore;
  readonly usageStore: UsageStore;
  readonly observer: Pick<Observer, 'visitStep'>;
}

/** A visitor's own sign of use, where the traffic shows none. Throws unknown_instance, not_assigned. */
export async function recordUse(deps: UseDeps, id: string): Promise<void> {
  const { instance } = await find(deps.claimStore, id);
  if (instance.state !== 'assigned') throw new TryItNowError('not_assigned', `instance ${id} has ended or is ending`);
  await noteUse(deps, [instance.label]);
}

/** Of the instances with these labels. */
async function noteUse(
  { usageStore, observer }: Pick<UseDeps, 'usageStore' | 'observer'>,
  labels: readonly string[],
): Promise<void> {
  for (const { template, site, step } of await usageStore.recordUse(labels)) observer.visitStep(template, site, step);
}

/** When an instance ends (ms) if nobody uses it from now on; undefined where that does not end it. */
export function unusedEndMs(
  { instance, lastUsedMs }: InstanceView,
  template: Pick<Template, 'idle'> | undefined,
): number | undefined {
  if (template?.idle === undefined || instance.state !== 'assigned') return undefined;
  return Math.max(lastUsedMs ?? 0, instance.assignedAtMs ?? 0) + template.idle.endAfterMs;
}

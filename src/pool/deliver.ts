import { describeError } from '../domain/errors.ts';
import type { ReleaseReason } from '../domain/instance.ts';
import type { Template } from '../domain/template.ts';
import type { DeliveryCheck } from './delivery-check.ts';
import type { ClaimStore } from './interfaces/claim-store.ts';
import type { NodeRegistry } from './interfaces/node-registry.ts';
import type { Upstream } from './interfaces/upstream.ts';
import { releaseInstance, type ReleaseDeps } from './release.ts';
import type { RunningContainers } from './running-containers.ts';

export interface DeliveryDeps extends ReleaseDeps {
  readonly claimStore: ClaimStore;
  readonly deliveryCheck: DeliveryCheck;
  readonly runningContainers: Pick<RunningContainers, 'includes'>;
  readonly registry: Pick<NodeRegistry, 'node'>;
  readonly node: { readonly name: string };
}

/** What was claimed, on its way to its visitor. */
interface Delivered {
  readonly id: string;
  readonly node: string;
  readonly upstream: Upstream | undefined;
}

/** Whether what is about to be handed out reacts; `again`: to who has it already. */
export async function isAlive(
  { deliveryCheck, observer }: DeliveryDeps,
  { name }: Template,
  { kind, node, upstream }: Delivered & { readonly kind: 'taken' | 'again' },
): Promise<boolean> {
  const startedAt = performance.now();
  const alive =
    kind === 'again' ? await deliveryCheck.stillReacts(node, upstream) : await deliveryCheck.isAlive(node, upstream);
  observer.deliveryChecked(name, performance.now() - startedAt);
  return alive;
}

/**
 * What a visitor has worked in already is not discarded over one refused connection: an app may be starting itself
 * again, and a network may fail for a moment. It is where its container has ended, or its whole node is lost.
 */
export async function isLost(deps: DeliveryDeps, { id, node }: Delivered): Promise<boolean> {
  try {
    if (await isNodeLost(deps, node)) return true;
    // Whether it runs on another node nobody here can know.
    if (node !== deps.node.name) return false;
    const view = await deps.claimStore.find(id);
    return view !== undefined && !(await deps.runningContainers.includes(view.instance.container));
  } catch (error) {
    deps.log.debug(
      { instance: id, reason: describeError(error) },
      'Nobody can say whether an instance that does not answer still runs; its visitor keeps it',
    );
    return false;
  }
}

async function isNodeLost({ registry, node: own }: DeliveryDeps, name: string): Promise<boolean> {
  return name !== own.name && (await registry.node(name))?.lostForMs !== undefined;
}

/** It is taken out, so that its visitor can be given another one. Why. */
export async function releaseDead(
  deps: DeliveryDeps,
  template: Template,
  { id, node, upstream }: Delivered,
): Promise<ReleaseReason> {
  deps.log.warn(
    { instance: id, template: template.name, node, upstream },
    'A dead instance was about to be handed out; it is replaced',
  );
  const view = await deps.claimStore.find(id);
  const reason = (await isNodeLost(deps, node)) ? 'node_lost' : 'container_lost';
  if (view !== undefined) await releaseInstance(deps, view.instance, reason, { from: ['assigned'] });
  return reason;
}

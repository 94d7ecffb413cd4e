import { instanceUrl, type PublicAddress } from '../domain/address.ts';
import { TryItNowError } from '../domain/errors.ts';
import { isVisitName, visitName } from '../domain/ids.ts';
import { NO_NODE } from '../domain/node.ts';
import type { Instance } from '../domain/instance.ts';
import type { InstanceState } from '../domain/lifecycle.ts';
import type { Catalogue } from '../domain/template.ts';
import type { FailureLog } from './interfaces/failure-log.ts';
import type { ClaimStore } from './interfaces/claim-store.ts';
import type { ContainerRuntime } from './interfaces/container-runtime.ts';
import type { Inventory } from './interfaces/inventory.ts';
import type { ProvisioningStore } from './interfaces/provisioning-store.ts';
import { releaseInstance, type ReleaseDeps } from './release.ts';

export interface OperateInstancesDeps extends ReleaseDeps {
  readonly inventory: Pick<Inventory, 'list' | 'leaving'>;
  readonly claimStore: ClaimStore;
  readonly failureLog: Pick<FailureLog, 'find'>;
  readonly catalogue: Catalogue;
  readonly provisioningStore: Pick<ProvisioningStore, 'cancelTickets'>;
  readonly runtime: Pick<ContainerRuntime, 'logs'>;
  readonly node: { readonly name: string };
  readonly address: PublicAddress;
}

export interface InstanceFilter {
  readonly template: string | undefined;
  readonly state: InstanceState | undefined;
  readonly node: string | undefined;
}

/** Undefined while its name does not resolve. */
export type InstanceSnapshot = Instance & { readonly url: string | undefined };

/** Oldest first. Throws store_unavailable. */
export async function listInstances(
  deps: OperateInstancesDeps,
  { template, state, node }: InstanceFilter,
): Promise<readonly InstanceSnapshot[]> {
  // Pages ask for those again and again, and there are few of them.
  const isLeaving = state === 'releasing' || state === 'quarantined';
  const all = await (isLeaving ? deps.inventory.leaving() : deps.inventory.list());
  return all
    .filter(
      (record) =>
        (template === undefined || record.template === template) &&
        (state === undefined || record.state === state) &&
        (node === undefined || record.node === node),
    )
    .sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1))
    .map((record) => snapshot(deps, record));
}

/** Also idle ones. `named`: its id, or the name of its visit. Throws unknown_instance. */
export async function showInstance(deps: OperateInstancesDeps, named: string): Promise<InstanceSnapshot> {
  return snapshot(deps, await known(deps, named));
}

/**
 * Ends it, no matter who holds it. One being prepared is abandoned, and one in quarantine is cleaned up at once. One
 * that is leaving already is left to it. Throws unknown_instance.
 */
export async function endInstance(deps: OperateInstancesDeps, named: string): Promise<InstanceSnapshot> {
  const record = await known(deps, named);
  const gone = await releaseInstance(deps, record, 'operator', {
    from: ['warming', 'ready', 'assigned', 'quarantined'],
  });
  if (gone !== undefined && record.state === 'warming')
    await deps.provisioningStore.cancelTickets(record.template, [record.id]);
  return snapshot(deps, gone ?? (await known(deps, record.id)));
}

/**
 * The last lines its app wrote; of an attempt that failed, what was kept of them. Throws unknown_instance, other_node,
 * container_failed, engine_unavailable.
 */
export async function instanceLogs(deps: OperateInstancesDeps, named: string, tail: number): Promise<string> {
  const { failureLog, catalogue } = deps;
  const found = await find(deps, named);
  if (found === undefined) {
    const names = catalogue.all().map(({ name }) => name);
    const report = await failureLog.find(named, names);
    if (report !== undefined) return `${report.output.split('\n').slice(-tail).join('\n')}\n`;
    throw unknownInstance(named);
  }
  const { id, node, container } = found;
  if (node !== deps.node.name) {
    throw new TryItNowError(
      'other_node',
      `Instance ${id} is on node ${node}, and this server sees the containers of ${whose(deps)}; on ` +
        `that host its engine shows them: podman logs --tail ${tail} ${container}`,
      { details: { node, container } },
    );
  }
  return deps.runtime.logs(container, tail);
}

function whose({ node: { name } }: OperateInstancesDeps): string {
  return name === NO_NODE ? 'no node' : `${name} only`;
}

async function known(deps: OperateInstancesDeps, named: string): Promise<Instance> {
  const found = await find(deps, named);
  if (found === undefined) throw unknownInstance(named);
  return found;
}

/** Nothing is kept by the name of a visit: that takes a look at all of them. */
async function find({ claimStore, inventory }: OperateInstancesDeps, named: string): Promise<Instance | undefined> {
  const id = isVisitName(named) ? (await inventory.list()).find((each) => visitName(each.id) === named)?.id : named;
  return id === undefined ? undefined : (await claimStore.find(id))?.instance;
}

function unknownInstance(named: string): TryItNowError {
  return new TryItNowError(
    'unknown_instance',
    `There is no instance ${named}; it may be gone, and \`try-it-now instances list\` lists those there are`,
  );
}

function snapshot({ address }: OperateInstancesDeps, record: Instance): InstanceSnapshot {
  const resolves = record.state === 'ready' || record.state === 'assigned';
  return { ...record, url: resolves ? instanceUrl(address, record.label) : undefined };
}

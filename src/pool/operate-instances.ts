import { instanceUrl, type PublicAddress } from '../domain/address.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Instance } from '../domain/instance.ts';
import type { InstanceState } from '../domain/lifecycle.ts';
import type { Arrivals, Census, ContainerRuntime, Takes } from './ports.ts';
import { sendAway, type ReleaseParts } from './release.ts';

export interface OperateInstancesParts extends ReleaseParts {
  readonly census: Pick<Census, 'list'>;
  readonly takes: Takes;
  readonly arrivals: Pick<Arrivals, 'cancelTicket'>;
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
export type InstanceReading = Instance & { readonly url: string | undefined };

/** Oldest first. Throws store_unavailable. */
export async function listInstances(
  parts: OperateInstancesParts,
  { template, state, node }: InstanceFilter,
): Promise<readonly InstanceReading[]> {
  const all = await parts.census.list();
  return all
    .filter(
      (record) =>
        (template === undefined || record.template === template) &&
        (state === undefined || record.state === state) &&
        (node === undefined || record.node === node),
    )
    .sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1))
    .map((record) => reading(parts, record));
}

/** Also stock. Throws unknown_instance. */
export async function showInstance(parts: OperateInstancesParts, id: string): Promise<InstanceReading> {
  return reading(parts, await known(parts, id));
}

/**
 * Ends it, whoever holds it. One being prepared is given up, and one in quarantine is cleaned up at once. One that is leaving
 * already is left to it. Throws unknown_instance.
 */
export async function endInstance(parts: OperateInstancesParts, id: string): Promise<InstanceReading> {
  const record = await known(parts, id);
  const gone = await sendAway(parts, record, 'operator', { from: ['warming', 'ready', 'assigned', 'quarantined'] });
  if (gone !== undefined && record.state === 'warming') await parts.arrivals.cancelTicket(record.template, id);
  return reading(parts, gone ?? (await known(parts, id)));
}

/** The last lines its app wrote. Throws unknown_instance, other_node, container_failed, engine_unavailable. */
export async function instanceLogs(parts: OperateInstancesParts, id: string, tail: number): Promise<string> {
  const { node, container } = await known(parts, id);
  if (node !== parts.node.name) {
    throw new TryItNowError(
      'other_node',
      `Instance ${id} is on node ${node}, and this server sees the containers of ${parts.node.name} only; on that host its engine shows them: podman logs --tail ${tail} ${container}`,
      { details: { node, container } },
    );
  }
  return parts.runtime.logs(container, tail);
}

async function known({ takes }: OperateInstancesParts, id: string): Promise<Instance> {
  const view = await takes.find(id);
  if (view === undefined)
    throw new TryItNowError(
      'unknown_instance',
      `There is no instance ${id}; it may be gone, and \`try-it-now instances list\` lists those there are`,
    );
  return view.instance;
}

function reading({ address }: OperateInstancesParts, record: Instance): InstanceReading {
  const resolves = record.state === 'ready' || record.state === 'assigned';
  return { ...record, url: resolves ? instanceUrl(address, record.label) : undefined };
}

import { discardTicket } from './dead-letter.ts';
import { type ContainerRuntime } from './interfaces/container-runtime.ts';
import { REPAIR_KINDS, type RepairKind } from './interfaces/observer.ts';
import { type ProvisioningStore } from './interfaces/provisioning-store.ts';
import { type TaskQueue } from './interfaces/task-queue.ts';
import { releaseInstance, type ReleaseDeps } from './release.ts';
import {
  leftoverTasks,
  orphanedTickets,
  isOrphan,
  orphanedDatabases,
  type Finding,
  type Drift,
  type DriftDeps,
} from './detect-drift.ts';

export interface RepairDeps extends ReleaseDeps, DriftDeps {
  readonly provisioningStore: ProvisioningStore;
  readonly queue: TaskQueue;
  readonly runtime: Pick<ContainerRuntime, 'list' | 'remove'>;
  /** Says that this node is alive. Throws where another host may have its name. */
  readonly beat?: () => Promise<void>;
}

export interface RepairResult {
  readonly repaired: number;
  readonly failures: readonly { readonly kind: RepairKind; readonly error: unknown }[];
}

/** Resolves with how many things were repaired: less than were found when others were faster. */
type Job = () => Promise<number>;

/**
 * Puts right what the drift detection found. Time has passed since, so each job looks again before it acts, or has the
 * store look. Every job is tried, even when another fails.
 */
export async function repairDrift(deps: RepairDeps, drift: Drift): Promise<RepairResult> {
  const failures: { kind: RepairKind; error: unknown }[] = [];
  let repaired = 0;
  const jobs = jobsFor(deps, drift);
  for (const kind of REPAIR_KINDS) {
    for (const job of jobs[kind]) {
      try {
        const count = await job();
        repaired += count;
        deps.observer.repaired(kind, count);
      } catch (error) {
        failures.push({ kind, error });
      }
    }
  }
  return { repaired, failures };
}

function jobsFor(
  deps: RepairDeps,
  { findings, unchecked, records = [] }: Drift,
): Readonly<Record<RepairKind, readonly Job[]>> {
  const { inventory, proxy } = deps;
  const found = <Kind extends RepairKind>(kind: Kind) =>
    findings.filter((finding): finding is Extract<Finding, { readonly kind: Kind }> => finding.kind === kind);
  const once = (kind: RepairKind, job: Job): Job[] => (found(kind).length > 0 ? [job] : []);
  // What nobody could list may still answer on a port that no record holds.
  const mayFreePorts = !unchecked.some(({ kinds }) => kinds.includes('container'));
  return {
    container: found('container').map(
      ({ container }) =>
        () =>
          removeOrphan(deps, container),
    ),
    network: found('network').map(
      ({ what }) =>
        () =>
          removeNetwork(deps, what),
    ),
    database: found('database').map(
      ({ what }) =>
        () =>
          dropOrphan(deps, what),
    ),
    record: found('record').map(
      ({ record }) =>
        () =>
          takeOut(deps, record),
    ),
    port: mayFreePorts ? once('port', () => inventory.reconcilePorts()) : [],
    index: once('index', () => inventory.reconcileIndexes(records)),
    hostname: once('hostname', () => inventory.reconcileHostnames(records)),
    setting: once('setting', () => inventory.reconcileSettings()),
    ticket: found('ticket').map(({ ticket }) => async () => {
      if (!(await orphanedTickets(deps)).some(({ id }) => id === ticket.id)) return 0;
      await discardTicket(deps, ticket);
      return 1;
    }),
    task: once('task', () => discardLeftovers(deps)),
    forwarding: found('forwarding').map(
      ({ what }) =>
        () =>
          reconnect(deps, what),
    ),
    proxy: once('proxy', async () => ((await proxy?.ensure()) === 'written' ? 1 : 0)),
  };
}

async function removeOrphan(deps: RepairDeps, container: Parameters<typeof isOrphan>[1]): Promise<number> {
  if (!(await isOrphan(deps, container))) return 0;
  await deps.runtime.remove(container.name);
  deps.log.warn(
    { container: container.name, instance: container.instanceId },
    'Removed a container that no record knows of',
  );
  return 1;
}

async function discardLeftovers(deps: RepairDeps): Promise<number> {
  const discarded = await deps.queue.discard(await leftoverTasks(deps));
  if (discarded > 0) deps.log.warn({ discarded }, 'Took tasks out of the queue that were done before NATS was killed');
  return discarded;
}

async function removeNetwork({ networks, log }: RepairDeps, network: string): Promise<number> {
  if (networks === undefined || !(await networks.unused()).includes(network)) return 0;
  await networks.remove(network);
  log.warn({ network }, 'Removed a network that is not used any more');
  return 1;
}

async function reconnect({ networks, log }: RepairDeps, container: string): Promise<number> {
  if (networks === undefined) return 0;
  await networks.reconnect(container);
  log.warn({ container }, 'Set the forwarding rules of a container again, which were gone from the host');
  return 1;
}

async function dropOrphan({ databases, inventory, log }: RepairDeps, database: string): Promise<number> {
  if (databases === undefined || (await orphanedDatabases(inventory, [database])).length === 0) return 0;
  await databases.drop(database);
  log.warn({ database }, 'Dropped a database that no record knows of');
  return 1;
}

async function takeOut(
  deps: RepairDeps,
  record: Extract<Finding, { readonly kind: 'record' }>['record'],
): Promise<number> {
  // This process may have stood still since it looked: what another host under the node's name has would seem lost.
  await deps.beat?.();
  const gone = await releaseInstance(deps, record, 'container_lost', {
    from: ['ready', 'assigned'],
    generation: record.generation,
  });
  if (gone === undefined) return 0;
  deps.log.warn(
    { instance: record.id, container: record.container, state: record.state },
    'The container of an instance is gone; the instance is taken out',
  );
  return 1;
}

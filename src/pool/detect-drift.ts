import type { Clock } from '../domain/clock.ts';
import type { Instance } from '../domain/instance.ts';
import { type ClaimStore } from './interfaces/claim-store.ts';
import { type ContainerRuntime, type ContainerSummary } from './interfaces/container-runtime.ts';
import { type Databases } from './interfaces/databases.ts';
import { type Inventory } from './interfaces/inventory.ts';
import { type Networks } from './interfaces/networks.ts';
import { REPAIR_KINDS, type RepairKind } from './interfaces/observer.ts';
import { type TicketRef } from './interfaces/provisioning-store.ts';
import { type Proxy } from './interfaces/proxy.ts';
import { type LeftoverTask, type TaskQueue } from './interfaces/task-queue.ts';

/** Something that is not as the recorded state says it should be. `why` is a clause for people. */
export type Finding = { readonly what: string; readonly why: string } & (
  | { readonly kind: 'container'; readonly container: ContainerSummary }
  | { readonly kind: 'record'; readonly record: Instance }
  | { readonly kind: 'ticket'; readonly ticket: TicketRef }
  | { readonly kind: 'task'; readonly leftover: LeftoverTask }
  | { readonly kind: 'network' | 'database' | 'port' | 'index' | 'hostname' | 'setting' | 'proxy' | 'forwarding' }
);

/** Nothing could be found out about these. */
interface Unchecked {
  readonly kinds: readonly RepairKind[];
  readonly error: unknown;
}

export interface Drift {
  readonly findings: readonly Finding[];
  readonly unchecked: readonly Unchecked[];
  /** As they were read first of all: those of the scope. Undefined when they could not be. */
  readonly records: readonly Instance[] | undefined;
  readonly scope: Scope;
}

/**
 * `node`: what this node's own process looks after, which costs by what the node holds. `pool`: what belongs to the
 * whole pool, which one process does for all; that of a server without an engine. `all`: both.
 */
export type Scope = 'node' | 'pool' | 'all';

const OF_THE_POOL: readonly RepairKind[] = ['index', 'hostname', 'setting', 'ticket', 'task', 'proxy'];

export interface DriftDeps {
  readonly inventory: Inventory;
  readonly claimStore: ClaimStore;
  readonly queue: Pick<TaskQueue, 'provisions' | 'leftovers'>;
  readonly runtime: Pick<ContainerRuntime, 'list'>;
  /** Undefined for an engine without networks of ours. */
  readonly networks: Networks | undefined;
  readonly databases: Databases | undefined;
  /** Undefined on a further node: the proxy is looked after by the node it runs on. */
  readonly proxy: Proxy | undefined;
  readonly clock: Clock;
  readonly node: { readonly name: string };
}

/** An ack, and the note of a task that ran out of deliveries, take milliseconds. */
const TASK_SETTLED_MS = 60_000;

/**
 * Compares the recorded and the actual state and changes nothing. Every part is checked even when another cannot be.
 * Records are read before the containers are listed, and a container is only an orphan if its record is missing
 * afterwards: a record is older than its container and outlives it, so neither look can mislead.
 */
export async function detectDrift(deps: DriftDeps, scope: Scope = 'all'): Promise<Drift> {
  const { inventory, node } = deps;
  const findings: Finding[] = [];
  const unchecked: Unchecked[] = [];
  const look = async (kinds: readonly RepairKind[], work: () => Promise<readonly Finding[]>): Promise<void> => {
    if (!kinds.some((kind) => isOf(scope, kind))) return;
    try {
      findings.push(...(await work()));
    } catch (error) {
      unchecked.push({ kinds, error });
    }
  };
  let records: readonly Instance[] | undefined;
  await look(['record', 'container', 'index', 'hostname', 'setting', 'port', 'forwarding'], async () => {
    records = await (scope === 'node' ? inventory.ofNode(node.name) : inventory.list({ unhurried: true }));
    return [];
  });
  if (records !== undefined) {
    const seen = records;
    await look(['record', 'container'], () =>
      containers(
        deps,
        seen.filter((record) => record.node === node.name),
      ),
    );
    await look(['index', 'hostname', 'setting'], () => inventory.inconsistencies(seen));
    await look(['port'], () => inventory.inconsistentPorts(seen));
    await look(['forwarding'], () => forwardings(deps, seen));
  }
  await look(['network'], () => networks(deps));
  await look(['database'], () => databases(deps));
  await look(['ticket'], async () =>
    (await orphanedTickets(deps)).map((ticket) => ({
      kind: 'ticket',
      ticket,
      what: ticket.id,
      why: `room reserved for an instance of ${ticket.template}, but no task is left to make it`,
    })),
  );
  await look(['task'], async () =>
    (await leftoverTasks(deps)).map((leftover) => ({
      kind: 'task',
      leftover,
      what: String(leftover.sequence),
      why: 'done, but still in the queue: NATS was killed before it had removed it',
    })),
  );
  await look(['proxy'], () => proxy(deps));
  return { findings, unchecked, records, scope };
}

function isOf(scope: Scope, kind: RepairKind): boolean {
  return scope === 'all' || OF_THE_POOL.includes(kind) === (scope === 'pool');
}

/** By kind; undefined where something of it was not, or could not be, checked. */
export function countFindings({ findings, unchecked, scope }: Drift): Readonly<Record<RepairKind, number | undefined>> {
  const unseen = new Set(unchecked.flatMap(({ kinds }) => kinds));
  const count = (kind: RepairKind): number | undefined =>
    unseen.has(kind) || !isOf(scope, kind) ? undefined : findings.filter((finding) => finding.kind === kind).length;
  return Object.fromEntries(REPAIR_KINDS.map((kind) => [kind, count(kind)])) as Record<RepairKind, number | undefined>;
}

async function containers(deps: DriftDeps, records: readonly Instance[]): Promise<Finding[]> {
  const listed = await deps.runtime.list();
  const running = new Set(listed.filter((container) => container.running).map((container) => container.name));
  const lost = records.filter(
    (record) => (record.state === 'ready' || record.state === 'assigned') && !running.has(record.container),
  );
  const findings: Finding[] = lost.map((record) => ({
    kind: 'record',
    record,
    what: record.id,
    why: `${record.state}, but its container ${record.container} does not run any more`,
  }));
  const known = new Set(records.map((record) => record.container));
  for (const container of listed) {
    if (known.has(container.name) || !(await isOrphan(deps, container))) continue;
    findings.push({ kind: 'container', container, what: container.name, why: orphanedBecause(container) });
  }
  return findings;
}

/**
 * Never again wanted: the names of containers are newly drawn for each attempt, and what is only
 * tried names its own end.
 */
export async function isOrphan(
  { inventory, claimStore, clock }: Pick<DriftDeps, 'inventory' | 'claimStore' | 'clock'>,
  { name, instanceId, keepUntilMs = 0 }: ContainerSummary,
): Promise<boolean> {
  if (keepUntilMs > clock.now()) return false;
  if (instanceId === undefined) return true;
  const view = await claimStore.find(instanceId);
  return view === undefined ? !(await inventory.isRecorded(instanceId)) : view.instance.container !== name;
}

function orphanedBecause({ instanceId, keepUntilMs }: ContainerSummary): string {
  if (instanceId !== undefined) return `no record of instance ${instanceId} names it`;
  return keepUntilMs === undefined ? "it is not an instance's" : 'it was only to be tried, and its time is over';
}

/** Of instances that are to be reached; whether their containers run is looked at elsewhere. */
async function forwardings({ networks: engine, node }: DriftDeps, records: readonly Instance[]): Promise<Finding[]> {
  if (engine === undefined) return [];
  const reached = records.flatMap(({ state, container, port, node: where }) =>
    where === node.name && port !== null && (state === 'ready' || state === 'assigned') ? [{ container, port }] : [],
  );
  return (await engine.severed(reached)).map((what) => ({
    kind: 'forwarding',
    what,
    why: "connections to it lead nowhere: the host's forwarding rules of its engine are gone",
  }));
}

async function networks({ networks: engine }: DriftDeps): Promise<Finding[]> {
  return ((await engine?.unused()) ?? []).map((what) => ({
    kind: 'network',
    what,
    why: 'made by this deployment, which does not use it any more',
  }));
}

/** Listed before the records are read: a record is older than its database and outlives it. */
async function databases({ databases: server, inventory, node }: DriftDeps): Promise<Finding[]> {
  if (server === undefined) return [];
  const listed = await server.list();
  // All records are looked through only for what none of this node's names.
  const own = new Set((await inventory.ofNode(node.name)).map((record) => record.database));
  const orphans = await orphanedDatabases(
    inventory,
    listed.filter((name) => !own.has(name)),
  );
  return orphans.map((what) => ({ kind: 'database', what, why: 'no record names this database and its user' }));
}

export async function orphanedDatabases(inventory: Inventory, listed: readonly string[]): Promise<readonly string[]> {
  if (listed.length === 0) return [];
  const known = new Set(await inventory.databases());
  return listed.filter((name) => !known.has(name));
}

/**
 * Idle tickets while the queue holds nothing at all: whatever was to bring them up is lost (a
 * purged stream, an emptied NATS).
 */
export async function orphanedTickets({
  inventory,
  queue,
}: Pick<DriftDeps, 'inventory' | 'queue'>): Promise<readonly TicketRef[]> {
  const idle = await inventory.idleTickets();
  if (idle.length === 0) return [];
  const { waiting, outstanding } = await queue.provisions();
  return waiting + outstanding === 0 ? idle : [];
}

/**
 * What the queue calls left over, unless somebody may still be at it or waits for it. An instance that waits has its
 * task queued again by those who look after lost tasks; this one is nobody's by then.
 */
export async function leftoverTasks({
  inventory,
  claimStore,
  queue,
  clock,
}: Pick<DriftDeps, 'inventory' | 'claimStore' | 'queue' | 'clock'>): Promise<readonly LeftoverTask[]> {
  const settled = (await queue.leftovers()).filter(({ queuedAtMs }) => clock.now() - queuedAtMs >= TASK_SETTLED_MS);
  if (settled.length === 0) return [];
  const tickets = new Set((await inventory.idleTickets({ newOnesToo: true })).map(({ id }) => id));
  const views = await claimStore.findMany(settled.flatMap(({ task }) => (task === undefined ? [] : [task.id])));
  return settled.filter(({ task }) => {
    if (task === undefined) return true;
    const state = views.get(task.id)?.instance.state;
    return task.kind === 'provision' ? state !== 'warming' && !tickets.has(task.id) : state !== 'releasing';
  });
}

async function proxy({ proxy: configured }: DriftDeps): Promise<Finding[]> {
  const seen = (await configured?.check()) ?? 'present';
  // Other pages wait until no request to an instance is under way.
  return seen === 'present' || seen === 'other_pages'
    ? []
    : [
        {
          kind: 'proxy',
          what: 'demo',
          why: seen === 'missing' ? 'the proxy does not have our server' : 'our server in the proxy was changed',
        },
      ];
}

import type { Clock } from '../domain/clock.ts';
import { describeError } from '../domain/errors.ts';
import type { Instance } from '../domain/instance.ts';
import type { Catalogue } from '../domain/template.ts';
import type { Census, ContainerRuntime, Databases, NodeRegistry, Promotions, Proxy, Takes } from './ports.ts';
import { sendAway, type ReleaseParts } from './release.ts';
import { wantedStock } from './stock-version.ts';

export interface ReconcileParts extends ReleaseParts {
  readonly catalogue: Catalogue;
  readonly census: Census;
  readonly runtime: ContainerRuntime;
  readonly databases: Databases | undefined;
  readonly promotions: Promotions;
  readonly clock: Clock;
  /** Undefined on a further node: the proxy is looked after by the node it runs on. */
  readonly proxy: Proxy | undefined;
  readonly registry: NodeRegistry;
  readonly takes: Takes;
  readonly node: { readonly name: string };
}

/**
 * One round of making the books and the world agree, both ways. Every part is tried even when another fails; then the
 * failures are thrown together. Records are read before the containers are listed, and a container is only an orphan if
 * its record is missing afterwards: a record is older than its container and outlives it, so neither look can mislead.
 * Unfinished: there is more to do as soon as new stock is ready.
 */
export async function reconcile(parts: ReconcileParts): Promise<{ readonly unfinished: boolean }> {
  const { census, registry, proxy, observer } = parts;
  const failures: unknown[] = [];
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      failures.push(error);
    }
  };
  await attempt(() => registry.announce());
  // Isolation rules last only until somebody flushes the host's firewall.
  await attempt(() => parts.runtime.prepare(parts.catalogue.all()));
  await attempt(async () => {
    if ((await proxy?.ensure()) === 'written') observer.repaired('proxy', 1);
  });
  // Read once, before the containers are listed, for every step that only needs a suspicion to start from.
  let records: readonly Instance[] = [];
  await attempt(async () => {
    records = await census.list();
    await reconcileContainers(parts, records.filter((record) => record.node === parts.node.name));
  });
  await attempt(async () => parts.databases?.prepare(parts.catalogue.all()));
  await attempt(() => reconcileDatabases(parts));
  let unfinished = false;
  await attempt(async () => {
    unfinished = await retireOutdated(parts, records);
  });
  await attempt(async () => observer.repaired('index', await census.settleIndexes(records)));
  await attempt(async () => observer.repaired('port', await census.settlePorts()));
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, failures.map((failure) => describeError(failure)).join('; '));
  return { unfinished };
}

async function reconcileContainers(parts: ReconcileParts, records: readonly Instance[]): Promise<void> {
  const { census, runtime, takes, observer, log } = parts;
  const containers = await runtime.list();
  const running = new Set(containers.filter((container) => container.running).map((container) => container.name));

  for (const record of records) {
    if ((record.state !== 'ready' && record.state !== 'assigned') || running.has(record.container)) continue;
    const gone = await sendAway(parts, record, 'container_lost', { from: ['ready', 'assigned'], generation: record.generation });
    if (gone === undefined) continue;
    observer.repaired('record', 1);
    log.warn({ instance: record.id, container: record.container, state: record.state }, 'The container of an instance is gone; the instance is taken out');
  }

  const known = new Set(records.map((record) => record.container));
  for (const { name, instanceId, keepUntilMs = 0 } of containers.filter((container) => !known.has(container.name))) {
    if (keepUntilMs > parts.clock.now()) continue;
    const view = instanceId === undefined ? undefined : await takes.find(instanceId);
    if (view === undefined ? instanceId !== undefined && (await census.isRecorded(instanceId)) : view.instance.container === name) continue;
    await runtime.remove(name);
    observer.repaired('container', 1);
    log.warn({ container: name, instance: instanceId }, 'Removed a container that no record knows of');
  }
}

/** The databases are listed before the records are read: a record is older than its database and outlives it. */
async function reconcileDatabases({ databases, census, observer, log }: ReconcileParts): Promise<void> {
  if (databases === undefined) return;
  const names = await databases.list();
  if (names.length === 0) return;
  const known = new Set((await census.ids()).map((instanceId) => databases.nameFor({ instanceId })));
  for (const name of names.filter((candidate) => !known.has(candidate))) {
    await databases.drop(name);
    observer.repaired('database', 1);
    log.warn({ database: name }, 'Dropped a database that no record knows of');
  }
}

/**
 * Stock of an older template version or of another checkpoint than the promoted one, or of a template no longer offered. Half of the target, rounded down, stays takeable;
 * true when some had to stay for that, to be replaced as soon as new ones are ready.
 */
async function retireOutdated(parts: ReconcileParts, records: readonly Instance[]): Promise<boolean> {
  const { catalogue } = parts;
  const ready = new Map<string, Instance[]>();
  for (const record of records) {
    if (record.state !== 'ready') continue;
    const stock = ready.get(record.template);
    if (stock === undefined) ready.set(record.template, [record]);
    else stock.push(record);
  }
  let unfinished = false;
  const wanted = await wantedStock(parts, catalogue.all());
  for (const [name, stock] of ready) {
    const outdated = stock.filter((record) => record.templateVersion !== wanted.get(name)?.version);
    const template = catalogue.get(name);
    const keep = Math.floor((template?.pool.target ?? 0) / 2);
    const leaving = outdated.slice(0, Math.max(0, stock.length - keep));
    await Promise.all(leaving.map((record) => sendAway(parts, record, 'outdated', { from: ['ready'], generation: record.generation })));
    if (template === undefined || leaving.length === outdated.length) continue;
    // The rest goes when their successors are ready; with none on the way, the next regular round is soon enough.
    unfinished ||= ((await parts.census.stats([template])).get(name)?.warming ?? 0) > 0 || leaving.length > 0;
  }
  return unfinished;
}

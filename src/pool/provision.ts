import { randomBytes } from 'node:crypto';
import { hostname, instanceUrl, type PublicAddress } from '../domain/address.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';
import type { Instance } from '../domain/instance.ts';
import type { Log } from '../domain/log.ts';
import type { ProvisionTask } from '../domain/task.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import { giveUpTicket } from './abandon.ts';
import { activate, type Reach } from './activate.ts';
import { takeDown, type CleanupParts } from './cleanup.ts';
import type { Arrivals, ContainerSpec, DatabaseCredentials, Observer, Probe, Promotions, ProvisionMethod, ProvisionPhase, TaskContext, Takes } from './ports.ts';
import { queueCleanup, type ReleaseParts } from './release.ts';
import type { Restorer } from './restore.ts';
import { wantedStock } from './stock-version.ts';

export interface ProvisionParts extends CleanupParts, ReleaseParts {
  readonly catalogue: Catalogue;
  readonly arrivals: Arrivals;
  readonly takes: Takes;
  readonly promotions: Promotions;
  /** Undefined where the engine restores nothing, or is not to. */
  readonly restorer: Restorer | undefined;
  readonly probe: Probe;
  readonly observer: Observer;
  readonly address: PublicAddress;
  readonly node: { readonly name: string; readonly address: string };
  /** Where the proxy listens, seen from here. */
  readonly proxyUrl: string;
  readonly log: Log;
}

/** The proxy knows a new name at once; this bounds a proxy or discovery that is down. */
const PROXY_GATE_MS = 15_000;
/** A restored app was ready when it was dumped: one that does not answer soon never will, and a cold start is the better use of the time. */
const RESTORED_READY_MS = 5_000;
const SEED_BYTES = 32;

/** One attempt, as it goes along. */
interface Attempt {
  readonly parts: ProvisionParts;
  readonly template: Template;
  readonly signal: AbortSignal;
  readonly startedAt: number;
  method: ProvisionMethod;
}

/**
 * The provision saga: ticket → record → port → database, and restore or cold start → readiness → activation → name →
 * warm-up through the proxy → ready. Each step may be repeated. A failed attempt is undone by the cleanup saga and thrown,
 * for the queue to try again.
 */
export async function provision(parts: ProvisionParts, task: ProvisionTask, context: TaskContext): Promise<void> {
  const { catalogue, arrivals, observer, log } = parts;
  const template = catalogue.get(task.template);
  if (template === undefined) {
    await giveUpTicket(parts, task);
    log.warn({ instance: task.id, template: task.template }, 'Dropped a provision task for a template that is no longer offered');
    return;
  }
  const wanted = (await wantedStock(parts, [template])).get(template.name);
  if (wanted === undefined) throw new Error('wantedStock answers for every template it is asked about');
  const instance = await arrivals.begin(template, wanted.version, task.id, databaseName(parts, template, task.id));
  if (instance === undefined) {
    log.debug({ instance: task.id, template: template.name }, 'Dropped a provision task without a ticket');
    return;
  }
  const attempt: Attempt = { parts, template, signal: context.signal, startedAt: performance.now(), method: 'cold_start' };
  try {
    if (instance.node !== parts.node.name) throw new TryItNowError('conflicting_change', `instance ${instance.id} was begun on node ${instance.node}; it starts anew here`);
    if (instance.templateVersion !== wanted.version) throw new TryItNowError('conflicting_change', `instance ${instance.id} was begun as ${instance.templateVersion}, and ${wanted.version} is wanted by now; it starts anew`);
    await bringUp(attempt, instance, wanted.checkpoint);
  } catch (error) {
    if (context.signal.aborted) throw error;
    observer.provision(template.name, attempt.method, 'failure', performance.now() - attempt.startedAt);
    observer.provisionFailed(template.name, error instanceof TryItNowError ? error.code : 'internal_error');
    await undo(parts, instance);
    throw error;
  }
  const durationMs = performance.now() - attempt.startedAt;
  observer.provision(template.name, attempt.method, 'success', durationMs);
  log.info({ instance: instance.id, template: template.name, method: attempt.method, durationMs: Math.round(durationMs), attempt: context.attempt }, 'Instance ready');
}

async function bringUp(attempt: Attempt, begun: Instance, checkpoint: string | undefined): Promise<void> {
  const { parts, template, signal } = attempt;
  const { arrivals, runtime, probe, address, node, proxyUrl } = parts;
  const instance = await arrivals.allocatePort(begun);
  const { id, port, label, container } = instance;
  if (port === null) throw new Error('an allocated port is never null');
  const reach: Reach = { container, origin: `http://${node.address}:${port}` };
  const spec: ContainerSpec = { name: container, instanceId: id, template, hostPort: port, env: {} };

  // Side by side: neither needs the other before the activation. Both end before a failure is undone.
  const [database] = await allOrFirstFailure([
    createDatabase(attempt, instance),
    checkpoint === undefined ? startCold(attempt, spec, reach) : startRestored(attempt, spec, reach, checkpoint),
  ]);
  await judged(attempt, checkpoint, () => phase(attempt, 'activation', () => activate({ runtime, probe }, template, reach, {
    instanceId: id, hostname: hostname(address, label), url: instanceUrl(address, label), seed: randomBytes(SEED_BYTES).toString('hex'), database,
  }, signal)));
  // Only now: nobody meets an instance that is not yet its own.
  await arrivals.publishHostname(instance);
  await phase(attempt, 'warmup', async () => {
    // At least one request, so that nothing counts as ready that a visitor could not reach.
    const paths = template.warmup.length > 0 ? template.warmup : [template.readiness.path];
    for (const path of paths) {
      await probe.untilOk({ url: `${proxyUrl}${path}`, hostname: hostname(address, label), timeoutMs: PROXY_GATE_MS }, signal);
    }
  });
  if (!(await arrivals.markReady(instance, template))) {
    throw new TryItNowError('conflicting_change', `instance ${id} was taken away while it was being provisioned`);
  }
}

async function startRestored(attempt: Attempt, spec: ContainerSpec, reach: Reach, checkpoint: string): Promise<void> {
  const { parts, template, signal, startedAt } = attempt;
  const { restorer, catalogue, observer } = parts;
  const version = catalogue.version(template.name) ?? '';
  const outcome = restorer === undefined ? 'untried' : await phase(attempt, 'restore', () => restorer.restore(template, version, checkpoint, spec, signal), (result) => result === 'restored');
  const countFailure = (): void => observer.provision(template.name, 'criu_restore', 'failure', performance.now() - startedAt);
  if (outcome === 'failed') countFailure();
  if (restorer !== undefined && outcome === 'restored') {
    attempt.method = 'criu_restore';
    try {
      await untilReady(attempt, reach, Math.min(RESTORED_READY_MS, template.readiness.timeoutMs));
      return;
    } catch (error) {
      if (signal.aborted) throw error;
      attempt.method = 'cold_start';
      countFailure();
      await restorer.failed(template, checkpoint, error);
    }
  }
  await startCold(attempt, spec, reach);
}

/**
 * A checkpoint has proved itself when what was restored from it could be activated. One of an app that was activated before
 * it was dumped never can: that counts against it, so that cold starts, or an earlier checkpoint, take its place.
 */
async function judged({ parts, template, method, signal }: Attempt, checkpoint: string | undefined, activation: () => Promise<void>): Promise<void> {
  const restorer = method === 'criu_restore' ? parts.restorer : undefined;
  try {
    await activation();
  } catch (error) {
    if (!signal.aborted && checkpoint !== undefined) await restorer?.failed(template, checkpoint, error);
    throw error;
  }
  if (checkpoint !== undefined) await restorer?.succeeded(template, checkpoint);
}

async function startCold(attempt: Attempt, spec: ContainerSpec, reach: Reach): Promise<void> {
  await phase(attempt, 'container', () => attempt.parts.runtime.start(spec, attempt.signal));
  await untilReady(attempt, reach, attempt.template.readiness.timeoutMs);
}

async function untilReady(attempt: Attempt, { origin }: Reach, timeoutMs: number): Promise<void> {
  const { parts, template, signal } = attempt;
  await phase(attempt, 'readiness', () => parts.probe.untilOk({ url: `${origin}${template.readiness.path}`, timeoutMs }, signal));
}

async function createDatabase(attempt: Attempt, { database }: Instance): Promise<DatabaseCredentials | undefined> {
  if (database === null) return undefined;
  const { databases } = attempt.parts;
  if (databases === undefined) throw noDatabaseServer(database);
  return phase(attempt, 'database', () => databases.create(database, attempt.template));
}

function databaseName({ databases }: ProvisionParts, template: Template, id: string): string | undefined {
  if (template.database === undefined) return undefined;
  if (databases === undefined) throw noDatabaseServer(`for template ${template.name}`);
  return databases.nameFor({ instanceId: id });
}

function noDatabaseServer(what: string): TryItNowError {
  return new TryItNowError('database_unavailable', `A database ${what} is needed, but this node has no database server; set DATABASE_SOCKET`);
}

/** Counts how long it took, unless `counts` finds that nothing was done. */
async function phase<T>({ parts, template }: Attempt, name: ProvisionPhase, work: () => Promise<T>, counts: (result: T) => boolean = () => true): Promise<T> {
  const startedAt = performance.now();
  const result = await work();
  if (counts(result)) parts.observer.provisionPhase(template.name, name, performance.now() - startedAt);
  return result;
}

async function allOrFirstFailure<A, B>(work: readonly [Promise<A>, Promise<B>]): Promise<[A, B]> {
  await Promise.allSettled(work);
  return Promise.all(work);
}

/** The ticket stays while the queue waits to try again, so that nobody plans a second instance in its place. */
async function undo(parts: ProvisionParts, instance: Instance): Promise<void> {
  const { arrivals, departures, observer, log } = parts;
  try {
    await arrivals.renewTicket(instance.template, instance.id);
    const outcome = await departures.release(instance, 'provision_failed', { from: ['warming'] });
    if (outcome.kind === 'unchanged') return;
    observer.release(instance.template, 'provision_failed');
    if (outcome.instance.node === parts.node.name) await takeDown(parts, outcome.instance);
    else queueCleanup(parts, outcome.instance);
  } catch (error) {
    log.warn({ instance: instance.id, reason: describeError(error) }, 'A failed provision could not be undone at once; the reaper will see to it');
  }
}

import { DATABASE_SERVERS } from '../domain/database.ts';
import { TryItNowError, describeError, type ErrorCode } from '../domain/errors.ts';
import { newAttempt, visitName } from '../domain/ids.ts';
import type { Instance } from '../domain/instance.ts';
import type { ProvisionTask } from '../domain/task.ts';
import type { Template } from '../domain/template.ts';
import { sleep } from '../lifecycle/sleep.ts';
import { discardTicket } from './dead-letter.ts';
import { allOrFirstFailure, startInstance, type Attempt, type StartInstanceDeps } from './start-instance.ts';
import { teardown, type CleanupDeps } from './cleanup.ts';
import { holdLease, isWanted, Unwanted, type LeaseDeps } from './lease.ts';
import type { StartTurns, Turn } from './start-turns.ts';
import { diagnose } from './diagnose.ts';
import type { FailuresHere } from './failures-here.ts';
import type { ClaimStore } from './interfaces/claim-store.ts';
import type { Consumption } from './interfaces/consumption.ts';
import type { TaskContext } from './interfaces/task-handlers.ts';
import { queueCleanup, type ReleaseDeps } from './release.ts';
import { wantedVersions, type WantedVersion } from './wanted-version.ts';

export interface ProvisionDeps extends StartInstanceDeps, CleanupDeps, ReleaseDeps, Pick<LeaseDeps, 'controls'> {
  readonly claimStore: ClaimStore;
  readonly startTurns: StartTurns;
  readonly failuresHere: Pick<FailuresHere, 'failed' | 'worked'>;
  readonly consumption: Pick<Consumption, 'locate'> | undefined;
}

/** How often a second delivery of a task looks whether the first one's worker is still alive. */
const UNDERWAY_POLL_MS = 1_000;
/** Well within a ticket's life. */
const TICKET_RENEW_MS = 20_000;
/** At most, while the engine, the database server or the proxy is unavailable. */
const OUTAGE_PAUSE_MS = 10_000;

/**
 * The provision saga: ticket → record → port → database, and restore or cold start → readiness → activation → name →
 * warm-up through the proxy → ready. Each attempt has names of its own, holds a lease, and notes each step before the
 * next begins; anyone who finds its lease over takes down what it left and starts again. A failed attempt is undone by
 * the cleanup saga and thrown, for the queue to try again, unless it opened the template's breaker: then it is dead,
 * or, when a part was unavailable, planned again after the pause.
 */
export async function provision(deps: ProvisionDeps, task: ProvisionTask, context: TaskContext): Promise<void> {
  const { catalogue, log } = deps;
  const template = catalogue.get(task.template);
  if (template === undefined) {
    await discardTicket(deps, task);
    log.warn(
      { instance: task.id, template: task.template },
      'Dropped a provision task for a template that is no longer offered',
    );
    return;
  }
  const turn = await waitForTurn(deps, task, context);
  let cameUp = false;
  try {
    cameUp = await attemptInTurn(deps, template, { task, context, turn });
  } finally {
    turn.end(cameUp ? 'came up' : 'failed');
  }
}

/** Many wait while a template is slow: their room is kept for them. */
async function waitForTurn(deps: ProvisionDeps, task: ProvisionTask, context: TaskContext): Promise<Turn> {
  const { id, template } = task;
  const keepRoom = setInterval(() => {
    void deps.provisioningStore.renewTicket(template, id).catch(() => undefined);
  }, TICKET_RENEW_MS);
  try {
    return await deps.tracer.span('turn', () => deps.startTurns.next(template, context.yieldWorker, context.stopping));
  } finally {
    clearInterval(keepRoom);
  }
}

interface InTurn {
  readonly task: ProvisionTask;
  readonly context: TaskContext;
  readonly turn: Turn;
}

/** Whether the instance came up; true as well when there was nothing to do. */
async function attemptInTurn(
  deps: ProvisionDeps,
  template: Template,
  { task, context, turn }: InTurn,
): Promise<boolean> {
  const { observer, log } = deps;
  if (!(await isWanted(deps, template.name))) {
    await discardTicket(deps, task);
    return true;
  }
  const wanted = (await wantedVersions(deps, [template])).get(template.name);
  if (wanted === undefined) throw new Error('wantedStock answers for every template it is asked about');
  const instance = await begin(deps, template, wanted, task, context.signal);
  if (instance === undefined) return true;

  await using lease = holdLease(deps, instance, context.signal);
  deps.tracer.note(() => ({ 'try_it_now.visit': visitName(instance.id), 'try_it_now.node': instance.node }));
  const attempt: Attempt = {
    deps,
    template,
    instance: instance.id,
    signal: lease.signal,
    startedAt: performance.now(),
    method: 'cold_start',
    turn,
  };
  try {
    await turn.work(lease.signal);
    const { recovered } = await startInstance(attempt, instance, wanted.checkpoint);
    deps.failuresHere.worked(template.name, 'attempt');
    if (recovered) {
      observer.breaker(template.name, false);
      log.info({ template: template.name }, 'Template works again; it is refilled as usual');
    }
  } catch (thrown) {
    if (context.signal.aborted) {
      await lease[Symbol.asyncDispose]();
      await deps.provisioningStore.releaseLease(instance).catch(() => undefined);
      throw thrown;
    }
    // The lease is held meanwhile: nobody else takes down what is being looked at.
    const error = await explained(deps, template, instance, thrown);
    await lease[Symbol.asyncDispose]();
    if (error instanceof Unwanted) {
      await undo(deps, instance);
      await discardTicket(deps, task);
      log.info({ instance: instance.id, template: template.name }, 'Attempt ended: its pool wants no more instances');
      return true;
    }
    observer.provision(template.name, attempt.method, 'failure', performance.now() - attempt.startedAt);
    observer.provisionFailed(template.name, error instanceof TryItNowError ? error.code : 'internal_error');
    await settleFailure(deps, template, { instance, task, attempt: context.attempt }, error);
    return false;
  }
  tellReady(attempt, instance, context);
  // Before its visitor comes, and finds the engine busy with something else.
  void deps.consumption?.locate(instance.container).catch(() => undefined);
  return true;
}

function tellReady(
  { deps: { observer, tracer, log }, template: { name }, method, startedAt }: Attempt,
  { id }: Instance,
  { attempt }: TaskContext,
): void {
  const durationMs = performance.now() - startedAt;
  observer.provision(name, method, 'success', durationMs);
  tracer.note(() => ({ 'try_it_now.method': method }));
  log.info({ instance: id, template: name, method, durationMs: Math.round(durationMs), attempt }, 'Instance ready');
}

/** The failure with what was found out about it, which is kept for operators. */
async function explained(
  deps: ProvisionDeps,
  template: Template,
  { id, container }: Instance,
  thrown: unknown,
): Promise<unknown> {
  // Being taken away says nothing about the template.
  if (thrown instanceof TryItNowError && thrown.code === 'conflicting_change') return thrown;
  const attempt = { template, instance: id, container, node: deps.node.name, atMs: deps.clock.now() };
  const { error, report } = await diagnose(deps, attempt, thrown);
  await deps.failureLog.record(report).catch((failure: unknown) => {
    deps.log.warn(
      { instance: id, template: template.name, reason: describeError(failure) },
      'Why an attempt failed could not be kept; it is in the log',
    );
  });
  return error;
}

/**
 * Undoes the attempt. Throws for the queue to try again, unless the task is put off until its template's pause ends.
 */
async function settleFailure(
  deps: ProvisionDeps,
  template: Template,
  failed: { readonly instance: Instance; readonly task: ProvisionTask; readonly attempt: number },
  error: unknown,
): Promise<void> {
  const { instance, task, attempt } = failed;
  // Counted beside it: removing a container takes an engine seconds, and whoever asks meanwhile is to be told.
  const [undone, failure] = await allOrFirstFailure([undo(deps, instance), classifyFailure(deps, template, error)]);
  if (failure.kind === 'failed') throw failure.error;
  // The ticket serves the attempt that came after this one.
  if (undone === 'superseded') return;
  // As good as never planned: it is planned again when the pause is over, and nobody has to look into it.
  await discardTicket(deps, task);
  deps.log.error(
    {
      instance: task.id,
      template: template.name,
      attempt,
      retryInMs: failure.pauseMs,
      reason: describeError(error),
    },
    'Provision task failed',
  );
}

/**
 * Undefined when there is nothing to do. A second delivery waits for the first one's end, and takes over should it die.
 */
async function begin(
  deps: ProvisionDeps,
  template: Template,
  { version }: WantedVersion,
  { id }: ProvisionTask,
  signal: AbortSignal,
): Promise<Instance | undefined> {
  const { provisioningStore, log } = deps;
  for (;;) {
    signal.throwIfAborted();
    const attempt = newAttempt();
    const begun = await provisioningStore.beginAttempt(template, {
      id,
      attempt,
      version,
      database: databaseName(deps, template, id, attempt),
    });
    switch (begun.kind) {
      case 'begun':
        return begun.instance;
      case 'unwanted':
        log.debug({ instance: id, template: template.name }, 'Dropped a provision task without a ticket');
        return undefined;
      case 'paused':
        log.debug(
          { instance: id, template: template.name },
          'Dropped a provision task of a template that keeps failing',
        );
        return undefined;
      case 'underway':
        await sleep(UNDERWAY_POLL_MS, signal);
        break;
      case 'left_over':
        await teardownLeftover(deps, begun.instance);
    }
  }
}

async function teardownLeftover(deps: ProvisionDeps, instance: Instance): Promise<void> {
  if (instance.state !== 'releasing')
    throw new TryItNowError(
      'conflicting_change',
      `an earlier attempt at instance ${instance.id} cannot be cleaned up yet ` +
        `(${instance.reason ?? 'no reason given'})`,
    );
  if (instance.node !== deps.node.name) {
    queueCleanup(deps, instance);
    throw new TryItNowError(
      'conflicting_change',
      `an earlier attempt at instance ${instance.id} is being cleaned up on node ${instance.node}`,
    );
  }
  await teardown(deps, instance);
}

function databaseName(
  { databases }: ProvisionDeps,
  template: Template,
  instanceId: string,
  attempt: string,
): string | undefined {
  if (template.database === undefined) return undefined;
  if (databases === undefined)
    throw new TryItNowError(
      'database_unavailable',
      `A database for template ${template.name} is needed, but this node has no database server; set ` +
        DATABASE_SERVERS[template.database.engine].socket,
    );
  return databases.nameFor(template, { instanceId, attempt });
}

/** The ticket stays while the queue waits to try again, so that nobody plans a second instance in its place. */
function undo(deps: ProvisionDeps, instance: Instance): Promise<'undone' | 'superseded'> {
  return deps.tracer.span('undo', () => takeBack(deps, instance));
}

async function takeBack(deps: ProvisionDeps, instance: Instance): Promise<'undone' | 'superseded'> {
  const { provisioningStore, cleanupStore, claimStore, observer, log, runtime, databases } = deps;
  try {
    await provisioningStore.renewTicket(instance.template, instance.id);
    // Ready as well: the last step may have been carried out, and only its answer lost.
    const outcome = await cleanupStore.release(instance, 'provision_failed', {
      from: ['warming', 'ready'],
      attempt: instance.attempt ?? '',
    });
    if (outcome.kind === 'releasing') {
      observer.release(instance.template, 'provision_failed');
      await teardown(deps, outcome.instance);
      return 'undone';
    }
    // Somebody has it already, or cleans it up.
    if ((await claimStore.find(instance.id))?.instance.attempt === instance.attempt) return 'undone';
    // Superseded: the record is another attempt's by now, but what has this attempt's names is still ours to remove.
    await runtime.remove(instance.container);
    if (instance.database !== null) await databases?.drop(instance.database);
    return 'superseded';
  } catch (error) {
    log.warn(
      { instance: instance.id, reason: describeError(error) },
      'A failed provision could not be undone at once; the reaper will see to it',
    );
    return 'undone';
  }
}

const OUTAGES: ReadonlySet<ErrorCode> = new Set([
  'engine_unavailable',
  'database_unavailable',
  'proxy_unavailable',
  'no_free_port',
]);

/**
 * Something is wrong that no template is to blame for: it passes in its own time, and then nobody
 * should have to wait long.
 */
function isOutage(error: unknown): boolean {
  return error instanceof TryItNowError && OUTAGES.has(error.code);
}

type FailureClass =
  | { readonly kind: 'failed'; readonly error: unknown }
  /** What it waits for is unavailable, and the template pauses meanwhile. */
  | { readonly kind: 'put_off'; readonly pauseMs: number };

/**
 * Counts the failure against the template. What failed once its breaker is open is not retried: it is an error that
 * says so, or put off in an outage.
 */
async function classifyFailure(
  { provisioningStore, catalogue, failuresHere, observer, log }: ProvisionDeps,
  { name }: Template,
  error: unknown,
): Promise<FailureClass> {
  // Being taken away says nothing about the template.
  if (error instanceof TryItNowError && error.code === 'conflicting_change') return { kind: 'failed', error };
  // Without Valkey no node makes any.
  if (!(error instanceof TryItNowError && error.code === 'store_unavailable'))
    failuresHere.failed(name, 'attempt', describeError(error));
  const outage = isOutage(error);
  const breaker = await provisioningStore
    .recordFailure(name, catalogue.version(name) ?? '', outage ? OUTAGE_PAUSE_MS : undefined)
    .catch((failure: unknown) => {
      // The queue tries again, and the failure counts then.
      if (failure instanceof TryItNowError && failure.code === 'store_unavailable') return undefined;
      throw failure;
    });
  if (breaker === undefined || breaker.pauseMs === 0) return { kind: 'failed', error };
  const { opened, pauseMs, failures } = breaker;
  const reason = describeError(error);
  if (opened) {
    observer.breaker(name, true);
    log.error(
      { template: name, failures, pauseMs, reason },
      'Template keeps failing; it is not refilled for a while, and then tried one instance at a time',
    );
  }
  if (outage) return { kind: 'put_off', pauseMs };
  return {
    kind: 'failed',
    error: new TryItNowError(
      'template_failing',
      `template ${name} failed ${failures} times in a row and is not refilled for ${Math.ceil(pauseMs / 1000)} s`,
      { cause: error },
    ),
  };
}

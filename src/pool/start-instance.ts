import { randomBytes } from 'node:crypto';
import { hostname, instanceUrl, publicOrigin, type PublicAddress } from '../domain/address.ts';
import type { Clock } from '../domain/clock.ts';
import type { FrameRefusal } from '../domain/frame-refusal.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Instance } from '../domain/instance.ts';
import type { Log } from '../domain/log.ts';
import { isOfDatabase, startPlaceholders } from '../domain/placeholders.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import type { Tracer } from '../domain/tracer.ts';
import { activate, instanceValues, type Identity, type Reach } from './activate.ts';
import { diagnose } from './diagnose.ts';
import type { FrameFit } from './frame-fit.ts';
import type { ContainerRuntime, ContainerSpec } from './interfaces/container-runtime.ts';
import type { DatabaseCredentials, Databases } from './interfaces/databases.ts';
import type { FailureLog } from './interfaces/failure-log.ts';
import type { Observer, ProvisionMethod, ProvisionPhase } from './interfaces/observer.ts';
import type { Probe } from './interfaces/probe.ts';
import type { Promotions } from './interfaces/promotions.ts';
import type { ProvisioningStore } from './interfaces/provisioning-store.ts';
import type { Proxies } from './proxies.ts';
import { untilReady } from './readiness.ts';
import type { Turn } from './start-turns.ts';
import { watchReadiness } from './watch-readiness.ts';
import { whileRunning, type WhileRunningDeps } from './while-running.ts';
import type { Restorer } from './restore.ts';

export interface StartInstanceDeps extends WhileRunningDeps {
  readonly catalogue: Catalogue;
  readonly provisioningStore: ProvisioningStore;
  readonly runtime: ContainerRuntime;
  /** Undefined on a node without a database server. */
  readonly databases: Databases | undefined;
  readonly promotions: Promotions;
  /** Undefined where the engine restores nothing, or is not to. */
  readonly restorer: Restorer | undefined;
  readonly probe: Probe;
  readonly frameFit: FrameFit;
  readonly failureLog: FailureLog;
  readonly clock: Clock;
  readonly observer: Observer;
  readonly address: PublicAddress;
  readonly node: { readonly name: string; readonly address: string };
  readonly proxies: Proxies;
  readonly tracer: Tracer;
  readonly log: Log;
}

/** The proxy knows a new name at once; this bounds a proxy or discovery that is down. */
const PROXY_GATE_MS = 10_000;
/** Before it is asked whether the app answers by itself. */
const APP_GATE_MS = 5_000;
const DIRECT_LOOK_MS = 2_000;
/**
 * A restored app was ready when it was dumped: one that does not answer soon never will, and a cold start is the better
 * use of the time.
 */
const RESTORED_READY_MS = 5_000;
const SEED_BYTES = 32;

/** One attempt, as it goes along. */
export interface Attempt {
  readonly deps: StartInstanceDeps;
  readonly template: Template;
  /** The id of the instance that it is to be. */
  readonly instance: string;
  readonly signal: AbortSignal;
  readonly startedAt: number;
  method: ProvisionMethod;
  /** Its place among the attempts of this process. */
  readonly turn: Turn;
}

/**
 * From the record to ready. Each step is noted, which also proves that the attempt is still the record's own: a
 * superseded one throws conflicting_change at its next step. `recovered`: the template had kept failing until now.
 */
export async function startInstance(
  attempt: Attempt,
  begun: Instance,
  checkpoint: string | undefined,
): Promise<{ readonly recovered: boolean }> {
  const { deps, template, signal } = attempt;
  const { provisioningStore, address, node } = deps;
  const instance = await provisioningStore.allocatePort(begun);
  const { id, port, label, container } = instance;
  if (port === null) throw new Error('an allocated port is never null');
  const reach: Reach = {
    container,
    origin: `http://${node.address}:${port}`,
    upstream: { address: node.address, port },
    visitor: publicOrigin(address, label),
  };
  const own = {
    instanceId: id,
    hostname: hostname(address, label),
    url: instanceUrl(address, label),
    seed: randomBytes(SEED_BYTES).toString('hex'),
  };
  const start = (database?: DatabaseCredentials): Promise<void> => {
    const values = instanceValues({ ...own, database });
    const spec: ContainerSpec = { name: container, instanceId: id, template, hostPort: port, env: {}, values };
    return checkpoint === undefined ? startCold(attempt, spec, reach) : startRestored(attempt, spec, reach, checkpoint);
  };
  const database = await withDatabase(attempt, instance, start);
  await provisioningStore.recordStep(instance, 'answering');
  const bare = await whileRunning(
    deps,
    container,
    (running) => hand(attempt, { instance, reach, checkpoint, identity: { ...own, database } }, running),
    signal,
  );
  return provisioningStore.markReady(instance, template, bare);
}

/** From an app that answers to one that a visitor may have. Returns why it has to be opened without a frame, if so. */
async function hand(
  attempt: Attempt,
  {
    instance,
    reach,
    checkpoint,
    identity,
  }: {
    readonly instance: Instance;
    readonly reach: Reach;
    readonly checkpoint: string | undefined;
    readonly identity: Identity;
  },
  running: AbortSignal,
): Promise<FrameRefusal | undefined> {
  const { deps, template } = attempt;
  const { provisioningStore, runtime, probe, frameFit, tracer } = deps;
  const landing = await recordCheckpointResult(attempt, checkpoint, () =>
    phase(attempt, 'activation', () => activate({ runtime, probe }, template, reach, identity, running)),
  );
  await provisioningStore.recordStep(instance, 'activated', landing);
  // Only now: nobody meets an instance that is not yet its own.
  await provisioningStore.publishHostname(instance);
  return phase(attempt, 'warmup', async () => {
    // At least one request, so that nothing counts as ready that a visitor could not reach.
    const { warmup, readiness } = template;
    const least = readiness.kind === 'http' ? readiness.path : '/';
    const paths = warmup.length > 0 ? warmup : [least];
    for (const path of paths)
      await tracer.span('page through the proxy', () => throughProxy({ ...attempt, signal: running }, reach, path));
    return tracer.span('frame check', () =>
      frameFit.refusal(template, instance.templateVersion, reach.visitor, running),
    );
  });
}

/** An app that answers here and not through any proxy is not at fault. Throws not_ready_in_time, proxy_unavailable. */
async function throughProxy(
  { deps, template, signal }: Attempt,
  { origin, visitor }: Reach,
  path: string,
): Promise<void> {
  const { probe, proxies } = deps;
  const { requestTimeoutMs } = template.readiness;
  const orStatuses = template.readiness.kind === 'http' ? template.readiness.statuses : undefined;
  const target = { visitor, innerPort: template.port, orStatuses, requestTimeoutMs };
  try {
    await proxies.untilOk(path, { ...target, timeoutMs: APP_GATE_MS }, signal);
  } catch {
    signal.throwIfAborted();
    // Whose fault it is: an app that does not answer its visitor's request here either has its own reasons.
    const direct = { ...target, url: `${origin}${path}` };
    await probe.untilOk({ ...direct, timeoutMs: DIRECT_LOOK_MS + requestTimeoutMs }, signal);
    const timeoutMs = PROXY_GATE_MS + requestTimeoutMs;
    await proxies.untilOk(path, { ...target, timeoutMs }, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      throw new TryItNowError(
        'proxy_unavailable',
        `${visitor.host}${path} answers at ${origin}, but not through the proxy at ${proxies.inWords}. ` +
          'Check Caddy and the discovery process',
        { cause: error },
      );
    });
  }
}

async function startRestored(attempt: Attempt, spec: ContainerSpec, reach: Reach, checkpoint: string): Promise<void> {
  const { deps, template, signal, startedAt } = attempt;
  const { restorer, catalogue, observer } = deps;
  const version = catalogue.version(template.name) ?? '';
  await attempt.turn.work(signal);
  const outcome =
    restorer === undefined
      ? 'untried'
      : await phase(
          attempt,
          'restore',
          () => restorer.restore(template, version, checkpoint, spec, signal),
          (result) => result === 'restored',
        );
  const countFailure = (): void =>
    observer.provision(template.name, 'criu_restore', 'failure', performance.now() - startedAt);
  if (outcome === 'failed') countFailure();
  if (restorer !== undefined && outcome === 'restored') {
    attempt.method = 'criu_restore';
    try {
      await answering(attempt, reach, Math.min(RESTORED_READY_MS, template.readiness.timeoutMs));
      return;
    } catch (error) {
      if (signal.aborted) throw error;
      attempt.method = 'cold_start';
      countFailure();
      // Looked at now: the cold start takes its place.
      const { container } = reach;
      const found = { template, instance: spec.instanceId ?? '', container, node: deps.node.name, atMs: 0 };
      await restorer.failed(template, checkpoint, (await diagnose(deps, found, error)).error);
    }
  }
  await startCold(attempt, spec, reach);
}

/**
 * A checkpoint has proved itself when what was restored from it could be activated. One of an app that
 * was activated before it was dumped never can: that counts against it, so that cold starts, or an
 * earlier checkpoint, take its place.
 */
async function recordCheckpointResult<T>(
  { deps, template, method, signal }: Attempt,
  checkpoint: string | undefined,
  activation: () => Promise<T>,
): Promise<T> {
  const restorer = method === 'criu_restore' ? deps.restorer : undefined;
  let result: T;
  try {
    result = await activation();
  } catch (error) {
    if (!signal.aborted && checkpoint !== undefined) await restorer?.failed(template, checkpoint, error);
    throw error;
  }
  if (checkpoint !== undefined) await restorer?.succeeded(template, checkpoint);
  return result;
}

async function startCold(attempt: Attempt, spec: ContainerSpec, reach: Reach): Promise<void> {
  await attempt.turn.work(attempt.signal);
  await phase(attempt, 'container', () => attempt.deps.runtime.start(spec, attempt.signal));
  await answering(attempt, reach, attempt.template.readiness.timeoutMs);
}

async function answering(attempt: Attempt, reach: Reach, timeoutMs: number): Promise<void> {
  const { deps, template, signal } = attempt;
  const { container } = reach;
  const waiting = { template, instance: attempt.instance, container, node: deps.node.name };
  const bootOver = attempt.turn.boot();
  try {
    await phase(attempt, 'readiness', () =>
      whileRunning(
        deps,
        container,
        (running) =>
          watchReadiness(
            deps,
            waiting,
            (onSeen) => untilReady(deps, template.readiness, reach, timeoutMs, running, onSeen),
            running,
          ),
        signal,
      ),
    );
  } finally {
    bootOver();
  }
}

/**
 * Starts the container and makes its database side by side: neither needs the other before the activation, unless the
 * template's placeholders do. Both end before a failure is undone.
 */
async function withDatabase(
  attempt: Attempt,
  instance: Instance,
  start: (database?: DatabaseCredentials) => Promise<void>,
): Promise<DatabaseCredentials | undefined> {
  const creating = createDatabase(attempt, instance);
  // The first of a large seed waits minutes until that is loaded.
  const onlyWaiting = (): void => {
    const over = attempt.turn.wait();
    void creating.then(over, over);
  };
  if (startPlaceholders(attempt.template).some(isOfDatabase)) {
    onlyWaiting();
    const database = await creating;
    await start(database);
    return database;
  }
  // Until then its slot is used.
  const started = start().finally(onlyWaiting);
  const [database] = await allOrFirstFailure([creating, started]);
  return database;
}

async function createDatabase(attempt: Attempt, instance: Instance): Promise<DatabaseCredentials | undefined> {
  const { database } = instance;
  if (database === null) return undefined;
  const { databases, provisioningStore } = attempt.deps;
  if (databases === undefined)
    throw new TryItNowError(
      'database_unavailable',
      `The database ${database} is needed, but this node has no database server; set DATABASE_SOCKET or ` +
        'POSTGRES_SOCKET',
    );
  const credentials = await phase(attempt, 'database', () => databases.create(database, attempt.template));
  await provisioningStore.recordStep(instance, 'database_created');
  return credentials;
}

/** Traces it, and counts how long it took unless `counts` finds that nothing was done. */
async function phase<T>(
  { deps, template }: Attempt,
  name: ProvisionPhase,
  work: () => Promise<T>,
  counts: (result: T) => boolean = () => true,
): Promise<T> {
  const startedAt = performance.now();
  const result = await deps.tracer.span(name, work);
  if (counts(result)) deps.observer.provisionPhase(template.name, name, performance.now() - startedAt);
  return result;
}

/** Waits for both, whatever comes of them; then the first failure is thrown. */
export async function allOrFirstFailure<A, B>(work: readonly [Promise<A>, Promise<B>]): Promise<[A, B]> {
  await Promise.allSettled(work);
  return Promise.all(work);
}

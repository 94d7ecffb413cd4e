import { publicOrigin, type PublicAddress } from '../domain/address.ts';
import { describeError } from '../domain/errors.ts';
import type { Clock } from '../domain/clock.ts';
import { describeCheck } from '../domain/readiness.ts';
import type { Instance } from '../domain/instance.ts';
import type { Catalogue } from '../domain/template.ts';
import type { Reach } from './activate.ts';
import type { ContainerRuntime } from './interfaces/container-runtime.ts';
import type { Inventory } from './interfaces/inventory.ts';
import type { FailureLog } from './interfaces/failure-log.ts';
import type { ProvisioningStore } from './interfaces/provisioning-store.ts';
import { printable, reportFor } from './diagnose.ts';
import type { FailuresHere } from './failures-here.ts';
import { LookPace } from './look-pace.ts';
import type { Probe } from './interfaces/probe.ts';
import { failureOf, healthOf } from './readiness.ts';
import { releaseInstance, type ReleaseDeps } from './release.ts';
import { dispensable } from './retire-outdated.ts';
import { SlowStock, type Look, type SlowInstance } from './slow-stock.ts';

export interface HealthCheckDeps extends ReleaseDeps {
  readonly catalogue: Catalogue;
  readonly inventory: Pick<Inventory, 'ofNode' | 'stats'>;
  readonly probe: Probe;
  readonly runtime: ContainerRuntime;
  readonly address: PublicAddress;
  readonly clock: Clock;
  readonly failureLog: Pick<FailureLog, 'record'>;
  readonly provisioningStore: Pick<ProvisioningStore, 'recordHealthy' | 'recordUnhealthy'>;
  readonly failuresHere: Pick<FailuresHere, 'failed' | 'worked'>;
  readonly node: { readonly name: string; readonly address: string };
}

/** One look that fails may be bad luck, or a busy machine's. */
const FAILURES_TO_REPLACE = 2;
const CONCURRENCY = 8;
const OUTPUT_LINES = 60;
/** An instance that has been healthy for so long since it was ready counts as one that stays. */
const PROVEN_MS = 60_000;

interface Failed {
  readonly looks: number;
  readonly words: string;
}

/** Looks after this node's ready instances, so that a visitor is not the first to find a dead one. */
export class HealthCheck {
  readonly #deps: HealthCheckDeps;
  /** Failed looks in a row, by instance, and what was seen last. */
  #failed: ReadonlyMap<string, Failed> = new Map();
  readonly #slow = new SlowStock();

  constructor(deps: HealthCheckDeps) {
    this.#deps = deps;
  }

  /**
   * One look at each of them, at its app's own port, which also keeps what it needs for an answer in memory. What fails
   * twice in a row is replaced, and so is what has become much slower than the others.
   */
  async round(signal: AbortSignal): Promise<void> {
    const { inventory, node, observer } = this.#deps;
    const ready = (await inventory.ofNode(node.name)).filter(({ state }) => state === 'ready');
    const failed = new Map<string, Failed>();
    const passed: Look[] = [];
    const forgiven = new Set<string>();
    const queue = [...ready];
    const pace = new LookPace();
    const checkNext = async (): Promise<void> => {
      for (let record = queue.shift(); record !== undefined; record = queue.shift()) {
        await pace.turn(signal);
        const begunMs = performance.now();
        const seen = await this.#look(record, signal);
        // Cut off, it says nothing about the instance.
        if (signal.aborted) return;
        if (seen === 'unchecked') continue;
        observer.healthChecked(record.template, seen === 'healthy');
        if (seen === 'healthy') {
          passed.push({ record, tookMs: performance.now() - begunMs });
          await this.#forgive(record, forgiven);
        } else failed.set(record.id, { looks: (this.#failed.get(record.id)?.looks ?? 0) + 1, words: seen.failure });
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, checkNext));
    if (signal.aborted) return;
    this.#failed = failed;
    await this.#replace(
      ready.filter(({ id }) => (failed.get(id)?.looks ?? 0) >= FAILURES_TO_REPLACE),
      ready,
    );
    await this.#replaceSlow(this.#slow.judge(passed), ready);
  }

  /** `unchecked`: its template is no longer offered, so the reconciler retires it. */
  async #look(
    { template: name, port, container, label }: Instance,
    signal: AbortSignal,
  ): Promise<'healthy' | 'unchecked' | { readonly failure: string }> {
    const { catalogue, node, address } = this.#deps;
    const template = catalogue.get(name);
    if (template === undefined || port === null) return 'unchecked';
    const reach: Reach = {
      container,
      origin: `http://${node.address}:${port}`,
      upstream: { address: node.address, port },
      visitor: publicOrigin(address, label),
    };
    const failure = await failureOf(this.#deps, healthOf(template), reach, signal).catch(describeError);
    return failure === undefined ? 'healthy' : { failure };
  }

  /**
   * One that has served for a while proves that its template's instances do. Said once in each round: what is held
   * against them may be another node's.
   */
  async #forgive({ template, readyAtMs }: Instance, forgiven: Set<string>): Promise<void> {
    const { provisioningStore, clock, observer, log } = this.#deps;
    if (forgiven.has(template) || readyAtMs === null || clock.now() - readyAtMs < PROVEN_MS) return;
    forgiven.add(template);
    this.#deps.failuresHere.worked(template, 'ready instance');
    if (!(await provisioningStore.recordHealthy(template)).recovered) return;
    observer.breaker(template, false);
    log.info({ template }, 'Ready instances of the template stay healthy again; it is refilled as usual');
  }

  /** What it wrote goes with its container, so it is kept before. */
  async #tell(record: Instance, words: string): Promise<string> {
    const { catalogue, runtime, failureLog, clock, node } = this.#deps;
    const template = catalogue.get(record.template);
    if (template === undefined) return words;
    const reason = `a ready instance stopped passing its health check (${describeCheck(healthOf(template))}): ${words}`;
    const output = printable(await runtime.logs(record.container, OUTPUT_LINES).catch(() => ''));
    const attempt = { template, instance: record.id, node: node.name, atMs: clock.now() };
    const remedy =
      'If the app closes or moves that path once it is activated, name what shows that it serves in health of the ' +
      'template; otherwise see what it wrote';
    await failureLog.record(reportFor(attempt, { code: 'instance_unhealthy', reason, remedy }, { output }));
    return reason;
  }

  /** Those that came up and did not stay are failures of the template as well. */
  async #count(name: string, reason: string): Promise<void> {
    const { provisioningStore, catalogue, failuresHere, observer, log } = this.#deps;
    failuresHere.failed(name, 'ready instance', reason);
    const breaker = await provisioningStore.recordUnhealthy(name, catalogue.version(name) ?? '');
    if (!breaker.opened) return;
    observer.breaker(name, true);
    log.error(
      { template: name, failures: breaker.failures, pauseMs: breaker.pauseMs, reason },
      'Ready instances of the template keep failing their health check; it is refilled one instance at a time',
    );
  }

  /**
   * At most half of a template's in one round, so that a fault of ours, or of the whole machine, does not empty its
   * pool at once.
   */
  async #replace(unhealthy: readonly Instance[], ready: readonly Instance[]): Promise<void> {
    const { log } = this.#deps;
    for (const name of new Set(unhealthy.map(({ template }) => template))) {
      const of = (records: readonly Instance[]) => records.filter(({ template }) => template === name);
      const allowed = Math.max(1, Math.floor(of(ready).length / 2));
      for (const record of of(unhealthy).slice(0, allowed)) {
        const reason = await this.#tell(record, this.#failed.get(record.id)?.words ?? '').catch(describeError);
        const outage = await this.#isOutage(record);
        // A visitor who has taken it meanwhile changed the generation; whether it serves him is checked on the way.
        const gone = await releaseInstance(this.#deps, record, 'unhealthy', {
          from: ['ready'],
          generation: record.generation,
        });
        if (gone === undefined) continue;
        log.warn(
          { instance: record.id, template: name, container: record.container, reason },
          'A ready instance does not answer any more; it is replaced',
        );
        if (!outage) await this.#count(name, reason);
      }
    }
  }

  /** One of a template in a round, and none that the pool cannot spare: it serves, if late. No failure is counted. */
  async #replaceSlow(slow: readonly SlowInstance[], ready: readonly Instance[]): Promise<void> {
    const { catalogue, log } = this.#deps;
    for (const name of new Set(slow.map(({ record }) => record.template))) {
      const template = catalogue.get(name);
      const first = slow.find(({ record }) => record.template === name);
      if (first === undefined || template?.replaceSlow !== true || healthOf(template).kind !== 'http') continue;
      const idle = ready.filter((record) => record.template === name).length;
      if ((await dispensable(this.#deps, template, idle, 'node')) < 1) continue;
      const { record, tookMs, medianMs } = first;
      const { generation } = record;
      if ((await releaseInstance(this.#deps, record, 'slow', { from: ['ready'], generation })) === undefined) continue;
      log.warn(
        { instance: record.id, template: name, tookMs: Math.round(tookMs), medianMs: Math.round(medianMs) },
        'A ready instance answers much later than the others of its template; it is replaced',
      );
    }
  }

  /** Where the engine itself is gone no template is to blame, and none should wait once it is back. */
  async #isOutage({ container }: Instance): Promise<boolean> {
    const { runtime } = this.#deps;
    return runtime.inspect(container).then(
      () => false,
      () => true,
    );
  }
}

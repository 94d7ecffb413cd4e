import type { Counter, Histogram, Registry } from 'prom-client';
import type { LookupOutcome } from '../domain/egress.ts';
import type { JobAction } from '../domain/operator-job.ts';
import type { OperatorRefusal } from '../domain/operator-refusal.ts';
import type { ErrorCode } from '../domain/errors.ts';
import type { ReleaseReason } from '../domain/instance.ts';
import { GATE_REASONS, type GateReason } from '../domain/gate-mode.ts';
import type { SuspectKind, Suspicion } from '../domain/suspect.ts';
import type { StreamEventType, VisitStep } from '../domain/visit-event.ts';
import type { EventObserver } from '../pool/publish-events.ts';
import type { DeliveryOutcome, WebhookObserver } from '../webhooks/deliver.ts';
import {
  REPAIR_KINDS,
  type CheckpointCarriage,
  type ImageOutcome,
  type Observer,
} from '../pool/interfaces/observer.ts';
import {
  registerMetrics,
  type LIMIT_WINDOWS,
  type MetricTable,
  type TASK_KINDS,
  type TASK_OUTCOMES,
} from './metric-table.ts';
import type { LogLosses } from './log-writer.ts';
import { processRegistry } from './process-metrics.ts';
import { NO_TRACING, type SpanCounts } from './tracing/tracing.ts';
import { ScrapedGauges, type ScrapeSources } from './scraped-gauges.ts';

type Outcome = Parameters<Observer['claimed']>[1];
type Method = Parameters<Observer['provision']>[1];
type Phase = Parameters<Observer['provisionPhase']>[1];
type Repair = Parameters<Observer['repaired']>[0];
type Status = 'success' | 'failure';

/** Stands for a template that is no longer in the catalogue, so that old records cannot add series for ever. */
const FORMER_TEMPLATE = '(former)';

export interface MetricsOptions {
  /** The names in the catalogue: the only values of the label `template`. */
  readonly templates: readonly string[];
  /** The names of those that are configured: the only values of the label `webhook`. */
  readonly webhooks?: readonly string[];
  readonly version: string;
  readonly logLosses?: LogLosses | undefined;
  /** NO_TRACING's without it. */
  readonly spans?: SpanCounts | undefined;
  readonly sources?: ScrapeSources;
  readonly sourceTimeoutMs?: number;
}

interface TakeSeries {
  readonly outcomes: Readonly<Record<Outcome, Counter.Internal>>;
  readonly duration: Histogram.Internal<'template'>;
  readonly check: Histogram.Internal<'template'>;
  readonly acquire: Histogram.Internal<'template'>;
}

/** Everything this process counts, in the Prometheus text format. Durations come in as ms and go out as seconds. */
export class Metrics implements Observer, EventObserver, WebhookObserver {
  readonly registry: Registry;
  readonly contentType: string;
  readonly #gauges: ScrapedGauges;
  #templates: ReadonlySet<string>;
  readonly #metrics: MetricTable;
  readonly #takeSeries = new Map<string, TakeSeries>();
  readonly #stepSeries = new Map<string, Counter.Internal>();
  #scrape: Promise<string> | undefined;

  constructor({
    templates,
    webhooks = [],
    version,
    logLosses,
    spans = NO_TRACING.counts,
    sources = {},
    sourceTimeoutMs,
  }: MetricsOptions) {
    this.registry = processRegistry(version, logLosses, spans);
    this.contentType = this.registry.contentType;
    this.#templates = new Set(templates);
    this.#gauges = new ScrapedGauges(this.registry, sources, sourceTimeoutMs);
    this.#metrics = registerMetrics(this.registry, templates, webhooks);
    for (const template of templates) this.#takesOf(template);
  }

  /** These are in the catalogue from now on, and count under their own names. */
  offer(templates: readonly string[]): void {
    for (const template of templates)
      if (!this.#templates.has(template)) {
        this.#metrics.begin(template);
        this.#takesOf(template);
      }
    const former = [...this.#templates].filter((template) => !templates.includes(template));
    this.#templates = new Set(templates);
    for (const template of former) this.#forget(template);
  }

  /** A scrape would tell of each preview that there ever was, and an alert go by what a template was last. */
  #forget(template: string): void {
    this.#metrics.end(template);
    this.#takeSeries.delete(template);
    for (const key of this.#stepSeries.keys()) if (key.startsWith(`${template} `)) this.#stepSeries.delete(key);
  }

  /** What /metrics answers. Scrapes at the same time share one reading of the sources. */
  text(): Promise<string> {
    this.#scrape ??= this.#gauges
      .refresh()
      .then(() => this.registry.metrics())
      .finally(() => {
        this.#scrape = undefined;
      });
    return this.#scrape;
  }

  /** Binds a route's labels once; the function it returns is called per request. */
  route(method: string, route: string): (status: number, durationMs: number) => void {
    const classes: (Histogram.Internal<'method' | 'route' | 'status'> | undefined)[] = [];
    return (status, durationMs) => {
      const hundred = status >= 100 && status < 600 ? Math.trunc(status / 100) : 5;
      const series = (classes[hundred] ??= this.#metrics.http.labels({ method, route, status: `${hundred}xx` }));
      series.observe(durationMs / 1000);
    };
  }

  claimed(template: string, outcome: Outcome, durationMs: number | undefined): void {
    const series = this.#seriesOf(template);
    series.outcomes[outcome].inc();
    if (durationMs !== undefined) series.duration.observe(durationMs / 1000);
  }

  deliveryChecked(template: string, durationMs: number): void {
    this.#seriesOf(template).check.observe(durationMs / 1000);
  }

  acquired(template: string, durationMs: number): void {
    this.#seriesOf(template).acquire.observe(durationMs / 1000);
  }

  visitStep(template: string, site: string, step: VisitStep): void {
    const name = this.#known(template);
    const key = `${name} ${site} ${step}`;
    let series = this.#stepSeries.get(key);
    if (series === undefined) {
      series = this.#metrics.funnel.labels({ template: name, site, step });
      this.#stepSeries.set(key, series);
    }
    series.inc();
  }

  published(type: StreamEventType): void {
    this.#metrics.events.inc({ type });
  }

  unreadable(): void {
    this.#metrics.unreadableEvents.inc();
  }

  webhookDelivery(webhook: string, outcome: DeliveryOutcome, durationMs: number): void {
    this.#metrics.webhookDeliveries.inc({ webhook, outcome });
    this.#metrics.webhookDuration.observe({ webhook }, durationMs / 1000);
  }

  limited(template: string, window: (typeof LIMIT_WINDOWS)[number]): void {
    this.#metrics.limited.inc({ template: this.#known(template), window });
  }

  gate(template: string, raised: GateReason | undefined): void {
    if (!this.#templates.has(template)) return;
    for (const reason of GATE_REASONS) this.#metrics.gate.set({ template, reason }, reason === raised ? 1 : 0);
  }

  challenged(template: string, outcome: 'given' | 'solved' | 'refused'): void {
    this.#metrics.challenges.inc({ template: this.#known(template), outcome });
  }

  /** Of an instance of a template with `egress.allow`. */
  lookedUp(template: string, outcome: LookupOutcome): void {
    this.#metrics.lookups.inc({ template: this.#known(template), outcome });
  }

  suspected(kind: SuspectKind, why: Suspicion): void {
    this.#metrics.suspects.inc({ kind, why });
  }

  waited(template: string, durationMs: number): void {
    const known = this.#known(template);
    this.#metrics.waits.inc({ template: known, outcome: 'served' });
    this.#metrics.waitDuration.observe({ template: known }, durationMs / 1000);
  }

  refusedOperator(code: OperatorRefusal): void {
    this.#metrics.refusedOperators.inc({ code });
  }

  exported(template: string, outcome: Parameters<Observer['exported']>[1]): void {
    this.#metrics.exports.inc({ template: this.#known(template), outcome });
  }

  stoppedWaiting(template: string, how: 'gave_up' | 'lapsed', count: number): void {
    this.#metrics.waits.inc({ template: this.#known(template), outcome: how }, count);
  }

  provision(template: string, method: Method, status: Status, durationMs: number): void {
    const known = this.#known(template);
    this.#metrics.provisions.inc({ template: known, method, status });
    if (status === 'success') this.#metrics.provisionDuration.observe({ template: known, method }, durationMs / 1000);
  }

  provisionPhase(template: string, phase: Phase, durationMs: number): void {
    const known = this.#known(template);
    this.#metrics.phaseDuration.observe({ template: known, phase }, durationMs / 1000);
    if (phase === 'restore') this.#metrics.restoreDuration.observe({ template: known }, durationMs / 1000);
  }

  provisionFailed(template: string, code: ErrorCode): void {
    this.#metrics.provisionFailures.inc({ template: this.#known(template), code });
  }

  release(template: string, reason: ReleaseReason): void {
    this.#metrics.releases.inc({ template: this.#known(template), reason });
  }

  cleanup(template: string, status: Status, durationMs: number): void {
    const known = this.#known(template);
    this.#metrics.cleanups.inc({ template: known, status });
    if (status === 'success') this.#metrics.cleanupDuration.observe({ template: known }, durationMs / 1000);
  }

  throttled(template: string): void {
    this.#metrics.throttled.inc({ template: this.#known(template) });
  }

  memoryShared(savedBytes: number, processorMs: number): void {
    this.#metrics.mergedMemory.set(savedBytes);
    this.#metrics.mergingProcessor.set(processorMs / 1000);
  }

  swappedOut(template: string): void {
    this.#metrics.swappedOut.inc({ template: this.#known(template) });
  }

  instanceMemory(template: string, bytes: number): void {
    const known = { template: this.#known(template) };
    this.#metrics.instanceMemory.set(known, bytes);
    this.#metrics.readyPerGib.set(known, 2 ** 30 / bytes);
  }

  storage(freeBytes: number, totalBytes: number, low: boolean): void {
    this.#metrics.storageFree.set(freeBytes);
    this.#metrics.storageTotal.set(totalBytes);
    this.#metrics.storageLow.set(low ? 1 : 0);
  }

  expiryLag(ms: number): void {
    this.#metrics.expiryLag.observe(ms / 1000);
  }

  reloaded(outcome: Parameters<Observer['reloaded']>[0]): void {
    this.#metrics.reloads.inc({ outcome });
  }

  jobBegan(action: JobAction): void {
    this.#metrics.jobsRunning.inc({ action });
  }

  jobEnded(action: JobAction, outcome: 'done' | 'failed'): void {
    this.#metrics.jobsRunning.dec({ action });
    this.#metrics.jobs.inc({ action, outcome });
  }

  repaired(kind: Repair, count: number): void {
    this.#metrics.repairs.inc({ kind }, count);
  }

  driftDetected(found: Parameters<Observer['driftDetected']>[0]): void {
    this.#metrics.leaks.reset();
    for (const kind of REPAIR_KINDS) {
      const count = found[kind];
      if (count !== undefined) this.#metrics.leaks.set({ kind }, count);
    }
    this.#metrics.driftDetectedAt.setToCurrentTime();
  }

  driftLeftToOthers(): void {
    this.#metrics.leaks.reset();
    this.#metrics.driftDetectedAt.remove();
  }

  /** As the queue's workers tell it. */
  taskEnded(kind: (typeof TASK_KINDS)[number], outcome: (typeof TASK_OUTCOMES)[number]): void {
    this.#metrics.tasks.inc({ kind, outcome });
  }

  redelivered(kind: (typeof TASK_KINDS)[number]): void {
    this.#metrics.redeliveries.inc({ kind });
  }

  healthChecked(template: string, healthy: boolean): void {
    this.#metrics.idleChecks.inc({ template: this.#known(template), result: healthy ? 'healthy' : 'unhealthy' });
  }

  imageFetched(status: Status): void {
    this.#metrics.imagesFetched.inc({ status });
  }

  imageTried(outcome: ImageOutcome): void {
    this.#metrics.imagesTried.inc({ outcome });
  }

  checkpointCarried(template: string, how: CheckpointCarriage, status: Status): void {
    this.#metrics.checkpointsCarried.inc({ template: this.#known(template), how, status });
  }

  breaker(template: string, open: boolean): void {
    this.#metrics.breakerChanges.inc({ template: this.#known(template), state: open ? 'open' : 'closed' });
  }

  #known(template: string): string {
    return this.#templates.has(template) ? template : FORMER_TEMPLATE;
  }

  #seriesOf(template: string): TakeSeries {
    return this.#takesOf(this.#known(template));
  }

  #takesOf(template: string): TakeSeries {
    const found = this.#takeSeries.get(template);
    if (found !== undefined) return found;
    const of = (outcome: Outcome): Counter.Internal => this.#metrics.claims.labels({ template, outcome });
    const made: TakeSeries = {
      outcomes: {
        taken: of('taken'),
        again: of('again'),
        replaced: of('replaced'),
        placed: of('placed'),
        kept: of('kept'),
        empty: of('empty'),
        limited: of('limited'),
        paused: of('paused'),
        key_reused: of('key_reused'),
        unproven: of('unproven'),
        unconfirmed: of('unconfirmed'),
        error: of('error'),
      },
      duration: this.#metrics.takeDuration.labels({ template }),
      check: this.#metrics.deliveryCheckDuration.labels({ template }),
      acquire: this.#metrics.acquireDuration.labels({ template }),
    };
    this.#takeSeries.set(template, made);
    return made;
  }
}

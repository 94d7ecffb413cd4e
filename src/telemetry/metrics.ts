import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { ErrorCode } from '../domain/errors.ts';
import { RELEASE_REASONS, type ReleaseReason } from '../domain/instance.ts';
import { PROVISION_PHASES, REPAIR_KINDS, type Observer } from '../pool/interfaces/observer.ts';
import { processRegistry } from './process-metrics.ts';
import { ScrapedGauges, type ScrapeSources } from './scraped-gauges.ts';

type Outcome = Parameters<Observer['claimed']>[1];
type Method = Parameters<Observer['provision']>[1];
type Phase = Parameters<Observer['provisionPhase']>[1];
type Repair = Parameters<Observer['repaired']>[0];
type Status = 'success' | 'failure';

const OUTCOMES = [
  'taken',
  'again',
  'replaced',
  'empty',
  'limited',
  'paused',
  'key_reused',
  'error',
] as const satisfies readonly Outcome[];
const METHODS = ['criu_restore', 'cold_start'] as const satisfies readonly Method[];
const STATUSES = ['success', 'failure'] as const satisfies readonly Status[];
const CHECK_RESULTS = ['healthy', 'unhealthy'] as const;
const LIMIT_WINDOWS = ['hourly', 'daily'] as const;
const TASK_KINDS = ['provision', 'cleanup'] as const;
const TASK_OUTCOMES = ['done', 'retried', 'interrupted', 'dead', 'unreadable'] as const;
const BREAKER_STATES = ['open', 'closed'] as const;

/** A take is one round trip to Valkey: most of the buckets are below a millisecond, the rest show trouble. */
const TAKE_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
/** A look at a live instance takes a millisecond; a dead one may cost the whole of its time limit. */
const CHECK_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const HTTP_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** 5 s and 10 s are where the alerts on slow starts are drawn; a restore is ready within the first few. */
const PROVISION_BUCKETS = [0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 7.5, 10, 15, 30, 60, 120];
/** From an activation's milliseconds to a start's minute. */
const PHASE_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120];
/** A small app on a quiet machine takes 0.3 to 0.4 s, a large one 2 s; 5 s and 10 s are where an alert is drawn. */
const RESTORE_BUCKETS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30];
const CLEANUP_BUCKETS = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const LAG_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** Stands for a template that is no longer in the catalogue, so that old records cannot add series for ever. */
const FORMER_TEMPLATE = '(former)';

export interface MetricsOptions {
  /** The names in the catalogue: the only values of the label `template`. */
  readonly templates: readonly string[];
  readonly version: string;
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
export class Metrics implements Observer {
  readonly registry: Registry;
  readonly contentType: string;
  readonly #gauges: ScrapedGauges;
  readonly #templates: ReadonlySet<string>;
  readonly #takes: Counter<'template' | 'outcome'>;
  readonly #takeDuration: Histogram<'template'>;
  readonly #takeSeries = new Map<string, TakeSeries>();
  readonly #deliveryCheckDuration: Histogram<'template'>;
  readonly #acquireDuration: Histogram<'template'>;
  readonly #limited: Counter<'template' | 'window'>;
  readonly #provisions: Counter<'template' | 'method' | 'status'>;
  readonly #provisionDuration: Histogram<'template' | 'method'>;
  readonly #phaseDuration: Histogram<'template' | 'phase'>;
  readonly #restoreDuration: Histogram<'template'>;
  readonly #provisionFailures: Counter<'template' | 'code'>;
  readonly #releases: Counter<'template' | 'reason'>;
  readonly #cleanups: Counter<'template' | 'status'>;
  readonly #cleanupDuration: Histogram<'template'>;
  readonly #expiryLag: Histogram;
  readonly #repairs: Counter<'kind'>;
  readonly #leaks: Gauge<'kind'>;
  readonly #surveyedAt: Gauge;
  readonly #tasks: Counter<'kind' | 'outcome'>;
  readonly #redeliveries: Counter<'kind'>;
  readonly #stockChecks: Counter<'template' | 'result'>;
  readonly #breakerChanges: Counter<'template' | 'state'>;
  readonly #http: Histogram<'method' | 'route' | 'status'>;
  #scrape: Promise<string> | undefined;

  constructor({ templates, version, sources = {}, sourceTimeoutMs }: MetricsOptions) {
    this.registry = processRegistry(version);
    this.contentType = this.registry.contentType;
    this.#templates = new Set(templates);
    this.#gauges = new ScrapedGauges(this.registry, sources, sourceTimeoutMs);
    const registers = [this.registry];
    this.#takes = new Counter({
      name: 'try_it_now_takes_total',
      help: 'Requests for an instance, by what became of them.',
      labelNames: ['template', 'outcome'],
      registers,
    });
    this.#takeDuration = new Histogram({
      name: 'try_it_now_take_duration_seconds',
      help: 'How long the hand-over of an instance took in the store, in seconds.',
      labelNames: ['template'],
      buckets: TAKE_BUCKETS,
      registers,
    });
    this.#deliveryCheckDuration = new Histogram({
      name: 'try_it_now_delivery_check_duration_seconds',
      help: 'How long it took to see whether an instance that was taken is alive, in seconds.',
      labelNames: ['template'],
      buckets: CHECK_BUCKETS,
      registers,
    });
    this.#acquireDuration = new Histogram({
      name: 'try_it_now_acquire_duration_seconds',
      help: 'How long it took from the request to an instance that is alive: hand-over in the store, look at it, and both again where it was dead, in seconds.',
      labelNames: ['template'],
      buckets: CHECK_BUCKETS,
      registers,
    });
    this.#limited = new Counter({
      name: 'try_it_now_rate_limit_refusals_total',
      help: 'Requests for an instance that were refused because the address has had its share, by the limit it met.',
      labelNames: ['template', 'window'],
      registers,
    });
    this.#provisions = new Counter({
      name: 'try_it_now_provisions_total',
      help: 'Attempts to make an instance ready.',
      labelNames: ['template', 'method', 'status'],
      registers,
    });
    this.#provisionDuration = new Histogram({
      name: 'try_it_now_provision_duration_seconds',
      help: 'How long it took until an instance was ready, failed attempts left out, in seconds.',
      labelNames: ['template', 'method'],
      buckets: PROVISION_BUCKETS,
      registers,
    });
    this.#phaseDuration = new Histogram({
      name: 'try_it_now_provision_phase_duration_seconds',
      help: 'The same by phase: making its database, start of the container or restore from a checkpoint instead, readiness of the app, activation, warm-up through the proxy, in seconds.',
      labelNames: ['template', 'phase'],
      buckets: PHASE_BUCKETS,
      registers,
    });
    this.#restoreDuration = new Histogram({
      name: 'try_it_now_criu_restore_duration_seconds',
      help: 'How long it took to restore a container from its checkpoint, failed attempts left out, in seconds.',
      labelNames: ['template'],
      buckets: RESTORE_BUCKETS,
      registers,
    });
    this.#provisionFailures = new Counter({
      name: 'try_it_now_provision_failures_total',
      help: 'Failed attempts to make an instance ready, by error code.',
      labelNames: ['template', 'code'],
      registers,
    });
    this.#releases = new Counter({
      name: 'try_it_now_releases_total',
      help: 'Instances sent on their way out, by reason.',
      labelNames: ['template', 'reason'],
      registers,
    });
    this.#cleanups = new Counter({
      name: 'try_it_now_cleanups_total',
      help: 'Attempts to take an instance down.',
      labelNames: ['template', 'status'],
      registers,
    });
    this.#cleanupDuration = new Histogram({
      name: 'try_it_now_cleanup_duration_seconds',
      help: 'How long it took to take an instance down, failed attempts left out, in seconds.',
      labelNames: ['template'],
      buckets: CLEANUP_BUCKETS,
      registers,
    });
    this.#expiryLag = new Histogram({
      name: 'try_it_now_expiry_lag_seconds',
      help: 'How long after its deadline an instance stopped being reachable, in seconds.',
      buckets: LAG_BUCKETS,
      registers,
    });
    this.#repairs = new Counter({
      name: 'try_it_now_reconcile_repairs_total',
      help: 'Things found out of order and put right, by kind.',
      labelNames: ['kind'],
      registers,
    });
    this.#leaks = new Gauge({
      name: 'try_it_now_leaks',
      help: 'Things out of order as the last look at books and world of this process found them, by kind; containers, networks and databases are those that no record knows.',
      labelNames: ['kind'],
      registers,
    });
    this.#surveyedAt = new Gauge({
      name: 'try_it_now_survey_timestamp_seconds',
      help: 'When this process last looked at books and world, in seconds since the Unix epoch.',
      registers,
    });
    this.#tasks = new Counter({
      name: 'try_it_now_tasks_total',
      help: 'Attempts at tasks of the queue, by how they ended; dead and unreadable ones are kept to be looked at.',
      labelNames: ['kind', 'outcome'],
      registers,
    });
    this.#redeliveries = new Counter({
      name: 'try_it_now_task_redeliveries_total',
      help: 'Tasks that came to a worker again after an attempt that was not completed.',
      labelNames: ['kind'],
      registers,
    });
    this.#stockChecks = new Counter({
      name: 'try_it_now_stock_checks_total',
      help: 'Looks at ready instances, by what was seen.',
      labelNames: ['template', 'result'],
      registers,
    });
    this.#breakerChanges = new Counter({
      name: 'try_it_now_breaker_changes_total',
      help: 'How often refills of a template were stopped because it kept failing (open), and taken up again once an instance came up (closed).',
      labelNames: ['template', 'state'],
      registers,
    });
    this.#http = new Histogram({
      name: 'try_it_now_http_request_duration_seconds',
      help: 'How long requests took, by route and class of status, in seconds.',
      labelNames: ['method', 'route', 'status'],
      buckets: HTTP_BUCKETS,
      registers,
    });
    this.#startAtZero(templates);
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
      const series = (classes[hundred] ??= this.#http.labels({ method, route, status: `${hundred}xx` }));
      series.observe(durationMs / 1000);
    };
  }

  claimed(template: string, outcome: Outcome, durationMs: number): void {
    const series = this.#seriesOf(template);
    series.outcomes[outcome].inc();
    series.duration.observe(durationMs / 1000);
  }

  deliveryChecked(template: string, durationMs: number): void {
    this.#seriesOf(template).check.observe(durationMs / 1000);
  }

  acquired(template: string, durationMs: number): void {
    this.#seriesOf(template).acquire.observe(durationMs / 1000);
  }

  limited(template: string, window: (typeof LIMIT_WINDOWS)[number]): void {
    this.#limited.inc({ template: this.#known(template), window });
  }

  provision(template: string, method: Method, status: Status, durationMs: number): void {
    const known = this.#known(template);
    this.#provisions.inc({ template: known, method, status });
    if (status === 'success') this.#provisionDuration.observe({ template: known, method }, durationMs / 1000);
  }

  provisionPhase(template: string, phase: Phase, durationMs: number): void {
    const known = this.#known(template);
    this.#phaseDuration.observe({ template: known, phase }, durationMs / 1000);
    if (phase === 'restore') this.#restoreDuration.observe({ template: known }, durationMs / 1000);
  }

  provisionFailed(template: string, code: ErrorCode): void {
    this.#provisionFailures.inc({ template: this.#known(template), code });
  }

  release(template: string, reason: ReleaseReason): void {
    this.#releases.inc({ template: this.#known(template), reason });
  }

  cleanup(template: string, status: Status, durationMs: number): void {
    const known = this.#known(template);
    this.#cleanups.inc({ template: known, status });
    if (status === 'success') this.#cleanupDuration.observe({ template: known }, durationMs / 1000);
  }

  expiryLag(ms: number): void {
    this.#expiryLag.observe(ms / 1000);
  }

  repaired(kind: Repair, count: number): void {
    this.#repairs.inc({ kind }, count);
  }

  driftDetected(found: Parameters<Observer['driftDetected']>[0]): void {
    this.#leaks.reset();
    for (const kind of REPAIR_KINDS) {
      const count = found[kind];
      if (count !== undefined) this.#leaks.set({ kind }, count);
    }
    this.#surveyedAt.setToCurrentTime();
  }

  /** As the queue's workers tell it. */
  taskEnded(kind: (typeof TASK_KINDS)[number], outcome: (typeof TASK_OUTCOMES)[number]): void {
    this.#tasks.inc({ kind, outcome });
  }

  redelivered(kind: (typeof TASK_KINDS)[number]): void {
    this.#redeliveries.inc({ kind });
  }

  healthChecked(template: string, healthy: boolean): void {
    this.#stockChecks.inc({ template: this.#known(template), result: healthy ? 'healthy' : 'unhealthy' });
  }

  breaker(template: string, open: boolean): void {
    this.#breakerChanges.inc({ template: this.#known(template), state: open ? 'open' : 'closed' });
  }

  #known(template: string): string {
    return this.#templates.has(template) ? template : FORMER_TEMPLATE;
  }

  #seriesOf(template: string): TakeSeries {
    return this.#takeSeries.get(template) ?? this.#takesOf(FORMER_TEMPLATE);
  }

  #takesOf(template: string): TakeSeries {
    const found = this.#takeSeries.get(template);
    if (found !== undefined) return found;
    const of = (outcome: Outcome): Counter.Internal => this.#takes.labels({ template, outcome });
    const made: TakeSeries = {
      outcomes: {
        taken: of('taken'),
        again: of('again'),
        replaced: of('replaced'),
        empty: of('empty'),
        limited: of('limited'),
        paused: of('paused'),
        key_reused: of('key_reused'),
        error: of('error'),
      },
      duration: this.#takeDuration.labels({ template }),
      check: this.#deliveryCheckDuration.labels({ template }),
      acquire: this.#acquireDuration.labels({ template }),
    };
    this.#takeSeries.set(template, made);
    return made;
  }

  /** A series that appears with its first event has no earlier value, and rate() would miss that event. */
  #startAtZero(templates: readonly string[]): void {
    for (const template of templates) {
      this.#takesOf(template);
      for (const outcome of OUTCOMES) this.#takes.inc({ template, outcome }, 0);
      for (const duration of [this.#takeDuration, this.#deliveryCheckDuration, this.#acquireDuration])
        duration.zero({ template });
      for (const window of LIMIT_WINDOWS) this.#limited.inc({ template, window }, 0);
      for (const method of METHODS) {
        this.#provisionDuration.zero({ template, method });
        for (const status of STATUSES) this.#provisions.inc({ template, method, status }, 0);
      }
      this.#restoreDuration.zero({ template });
      for (const phase of PROVISION_PHASES) this.#phaseDuration.zero({ template, phase });
      for (const reason of RELEASE_REASONS) this.#releases.inc({ template, reason }, 0);
      for (const status of STATUSES) this.#cleanups.inc({ template, status }, 0);
      this.#cleanupDuration.zero({ template });
      for (const result of CHECK_RESULTS) this.#stockChecks.inc({ template, result }, 0);
      for (const state of BREAKER_STATES) this.#breakerChanges.inc({ template, state }, 0);
    }
    for (const kind of REPAIR_KINDS) this.#repairs.inc({ kind }, 0);
    for (const kind of TASK_KINDS) {
      this.#redeliveries.inc({ kind }, 0);
      for (const outcome of TASK_OUTCOMES) this.#tasks.inc({ kind, outcome }, 0);
    }
  }
}

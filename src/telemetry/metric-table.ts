import { Counter, Gauge, Histogram, type LabelValues, type Metric, type Registry } from 'prom-client';
import { LOOKUP_OUTCOMES } from '../domain/egress.ts';
import { RELEASE_REASONS } from '../domain/instance.ts';
import { JOB_ACTIONS } from '../domain/operator-job.ts';
import { OPERATOR_REFUSALS } from '../domain/operator-refusal.ts';
import { SUSPECT_KINDS, SUSPICIONS } from '../domain/suspect.ts';
import { EVENT_TYPES, VISIT_STEPS } from '../domain/visit-event.ts';
import {
  CHECKPOINT_CARRIAGES,
  IMAGE_OUTCOMES,
  PROVISION_PHASES,
  RELOAD_OUTCOMES,
  REPAIR_KINDS,
  type Observer,
} from '../pool/interfaces/observer.ts';

type Outcome = Parameters<Observer['claimed']>[1];
type Method = Parameters<Observer['provision']>[1];
type Status = 'success' | 'failure';

const OUTCOMES = [
  'taken',
  'again',
  'replaced',
  'placed',
  'kept',
  'empty',
  'limited',
  'paused',
  'key_reused',
  'unproven',
  'unconfirmed',
  'error',
] as const satisfies readonly Outcome[];
const METHODS = ['criu_restore', 'cold_start'] as const satisfies readonly Method[];
const STATUSES = ['success', 'failure'] as const satisfies readonly Status[];
const CHECK_RESULTS = ['healthy', 'unhealthy'] as const;
const EXPORT_OUTCOMES = ['done', 'failed', 'too_large', 'late', 'stopped'] as const satisfies readonly Parameters<
  Observer['exported']
>[1][];
const CHALLENGE_OUTCOMES = ['given', 'solved', 'refused'] as const;
const WAIT_OUTCOMES = ['served', 'gave_up', 'lapsed'] as const;
export const LIMIT_WINDOWS = ['hourly', 'daily', 'held', 'harm'] as const;
export const TASK_KINDS = ['provision', 'cleanup'] as const;
export const TASK_OUTCOMES = ['done', 'retried', 'interrupted', 'dead', 'unreadable'] as const;
const DELIVERY_OUTCOMES = ['delivered', 'failed', 'dead'] as const;
const BREAKER_STATES = ['open', 'closed'] as const;

/** A claim is one round trip to Valkey: most of the buckets are below a millisecond, the rest show trouble. */
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
/** From the next instance of a quick pool to the longest that anybody waits. */
const WAIT_BUCKETS = [0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600];
const CLEANUP_BUCKETS = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const LAG_BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** Of a label whose values are not known beforehand: its series appear with their first event. */
const ANY = undefined;

/** The values of each label. */
type Labels<Name extends string> = Readonly<Record<Name, readonly string[] | undefined>>;

export type MetricTable = ReturnType<typeof registerMetrics>;

/** Everything that is counted as it happens: a new metric is one more entry. Its series start at zero, if they can. */
export function registerMetrics(registry: Registry, templates: readonly string[], webhooks: readonly string[]) {
  const registers = [registry];
  const perTemplate: ((template: string) => void)[] = [];
  const own: Metric[] = [];
  const counter = <Name extends string>(name: string, help: string, labels: Labels<Name>): Counter<Name> => {
    const made = new Counter({ name, help, labelNames: namesOf(labels), registers });
    own.push(made);
    perTemplate.push((template) => ofTemplate(labels, template).forEach((series) => made.inc(series, 0)));
    for (const series of knownSeries(labels)) made.inc(series, 0);
    return made;
  };
  const histogram = <Name extends string>(
    name: string,
    help: string,
    labels: Labels<Name>,
    buckets: number[],
  ): Histogram<Name> => {
    const made = new Histogram({ name, help, labelNames: namesOf(labels), buckets, registers });
    own.push(made);
    perTemplate.push((template) => ofTemplate(labels, template).forEach((series) => made.zero(series)));
    for (const series of knownSeries(labels)) made.zero(series);
    return made;
  };
  // A gauge says nothing before its first value.
  const gauge = <Name extends string>(name: string, help: string, labelNames: Name[]): Gauge<Name> => {
    const made = new Gauge({ name, help, labelNames, registers });
    own.push(made);
    return made;
  };
  return {
    /** The series of one that is offered from now on start at zero as well. */
    begin: (template: string) => perTemplate.forEach((begin) => begin(template)),
    /** Those of one that is offered no more, whatever their other labels, are gone. */
    end: (template: string) => own.forEach((metric) => removeSeriesOf(metric, template)),
    claims: counter(
      'try_it_now_takes_total',
      'Requests for an instance, by what became of them: placed is a new place in the line, kept one that asked ' +
        'again while waiting, empty one that got nothing, not even a place.',
      { template: templates, outcome: OUTCOMES },
    ),
    takeDuration: histogram(
      'try_it_now_take_duration_seconds',
      'How long the hand-over of an instance took in the store, in seconds.',
      { template: templates },
      TAKE_BUCKETS,
    ),
    deliveryCheckDuration: histogram(
      'try_it_now_delivery_check_duration_seconds',
      'How long it took to see whether an instance that was taken is alive, in seconds.',
      { template: templates },
      CHECK_BUCKETS,
    ),
    acquireDuration: histogram(
      'try_it_now_acquire_duration_seconds',
      'How long it took from the request to an instance that is alive: hand-over in the store, check of it, and both ' +
        'again where it was dead, in seconds.',
      { template: templates },
      CHECK_BUCKETS,
    ),
    funnel: counter(
      'try_it_now_funnel_total',
      'Steps that visitors took from the click to the end of their visit, by template and embedding site.',
      { template: templates, site: ANY, step: VISIT_STEPS },
    ),
    events: counter('try_it_now_visit_events_total', 'Events of visits that were brought to the stream, by type.', {
      type: EVENT_TYPES,
    }),
    unreadableEvents: counter(
      'try_it_now_visit_events_unreadable_total',
      'Events of visits that this version cannot read, and set aside.',
      {},
    ),
    webhookDeliveries: counter(
      'try_it_now_webhook_deliveries_total',
      'Attempts at deliveries to webhooks, by how they ended; dead events are kept to be inspected.',
      { webhook: webhooks, outcome: DELIVERY_OUTCOMES },
    ),
    webhookDuration: histogram(
      'try_it_now_webhook_request_duration_seconds',
      'How long the receivers of webhooks took to answer, in seconds.',
      { webhook: webhooks },
      HTTP_BUCKETS,
    ),
    limited: counter(
      'try_it_now_rate_limit_refusals_total',
      'Requests for an instance that were refused because the address has had its share, by the limit it met (held: ' +
        'how many may be held at once; harm: several of their visits were ended because they harmed others).',
      { template: templates, window: LIMIT_WINDOWS },
    ),
    gate: gauge(
      'try_it_now_gate_raised',
      'Whether visitors have work to prove before they get an instance, by why: few are ready or somebody waits ' +
        '(stock), far more are taken than usual (demand), or GATE_MODE is on (always): 1 yes, 0 no.',
      ['template', 'reason'],
    ),
    challenges: counter(
      'try_it_now_gate_challenges_total',
      'Proofs of work: challenges that were given, and solutions that were right (solved) or not (refused).',
      { template: templates, outcome: CHALLENGE_OUTCOMES },
    ),
    lookups: counter(
      'try_it_now_egress_lookups_total',
      'Names that instances of templates with egress.allow looked up, by how that ended: refused is a name that is ' +
        'not allowed, private one that leads to no public address, failed one that no name server of the host ' +
        'answered.',
      { template: templates, outcome: LOOKUP_OUTCOMES },
    ),
    suspects: counter(
      'try_it_now_suspects_total',
      'Addresses, networks, visitors and embedding sites that were found to take an unusual share of the ' +
        'instances, by what shows it: their share, that they never open theirs, or that they go on asking ' +
        'against a limit.',
      { kind: SUSPECT_KINDS, why: SUSPICIONS },
    ),
    refusedOperators: counter(
      'try_it_now_admin_refusals_total',
      'Calls of the admin API that came without a right operator key, or of a role that may not, and log-ins that ' +
        'came to nothing, by the answer.',
      { code: OPERATOR_REFUSALS },
    ),
    exports: counter(
      'try_it_now_exports_total',
      'Downloads of what visitors have in their instances, by how they ended.',
      { template: templates, outcome: EXPORT_OUTCOMES },
    ),
    waits: counter(
      'try_it_now_waits_total',
      'Visitors who waited for an instance, by how that ended: served, gave up, or not heard of any more.',
      { template: templates, outcome: WAIT_OUTCOMES },
    ),
    waitDuration: histogram(
      'try_it_now_wait_duration_seconds',
      'How long visitors who were served had waited for an instance, in seconds.',
      { template: templates },
      WAIT_BUCKETS,
    ),
    provisions: counter('try_it_now_provisions_total', 'Attempts to make an instance ready.', {
      template: templates,
      method: METHODS,
      status: STATUSES,
    }),
    provisionDuration: histogram(
      'try_it_now_provision_duration_seconds',
      'How long it took until an instance was ready, failed attempts left out, in seconds.',
      { template: templates, method: METHODS },
      PROVISION_BUCKETS,
    ),
    phaseDuration: histogram(
      'try_it_now_provision_phase_duration_seconds',
      'The same by phase: making its database, start of the container or restore from a checkpoint instead, ' +
        'readiness of the app, activation, warm-up through the proxy, in seconds.',
      { template: templates, phase: PROVISION_PHASES },
      PHASE_BUCKETS,
    ),
    restoreDuration: histogram(
      'try_it_now_criu_restore_duration_seconds',
      'How long it took to restore a container from its checkpoint, failed attempts left out, in seconds.',
      { template: templates },
      RESTORE_BUCKETS,
    ),
    provisionFailures: counter(
      'try_it_now_provision_failures_total',
      'Failed attempts to make an instance ready, by error code.',
      { template: templates, code: ANY },
    ),
    releases: counter('try_it_now_releases_total', 'Instances that were released, by reason.', {
      template: templates,
      reason: RELEASE_REASONS,
    }),
    cleanups: counter('try_it_now_cleanups_total', 'Attempts to take an instance down.', {
      template: templates,
      status: STATUSES,
    }),
    cleanupDuration: histogram(
      'try_it_now_cleanup_duration_seconds',
      'How long it took to take an instance down, failed attempts left out, in seconds.',
      { template: templates },
      CLEANUP_BUCKETS,
    ),
    expiryLag: histogram(
      'try_it_now_expiry_lag_seconds',
      'How long after its deadline an instance stopped being reachable, in seconds.',
      {},
      LAG_BUCKETS,
    ),
    throttled: counter(
      'try_it_now_throttled_total',
      'Visits that kept their processors busy while nobody used them, and were left a part of those.',
      { template: templates },
    ),
    mergedMemory: gauge(
      'try_it_now_merged_memory_bytes',
      'What the kernel saves on this host by keeping pages of memory once that hold the same, with `memory: share`.',
      [],
    ),
    mergingProcessor: gauge(
      'try_it_now_memory_merging_processor_seconds',
      'The processor time that the kernel has spent on looking for such pages, since the host started.',
      [],
    ),
    swappedOut: counter(
      'try_it_now_swapped_out_total',
      'Ready instances whose memory was written to swap, with `memory: swap`.',
      { template: templates },
    ),
    instanceMemory: gauge(
      'try_it_now_instance_memory_bytes',
      'What a ready instance takes of the memory of this node, on the average of some; what it has in common with ' +
        'others counts as its part of it.',
      ['template'],
    ),
    readyPerGib: gauge('try_it_now_ready_per_gib', 'How many ready instances fit into one GiB, by that.', ['template']),
    storageFree: gauge(
      'try_it_now_storage_free_bytes',
      'Room on the disk that the containers of this node lie on, as last seen.',
      [],
    ),
    storageTotal: gauge('try_it_now_storage_bytes', 'The size of that disk.', []),
    storageLow: gauge(
      'try_it_now_storage_low',
      'Whether that disk has less room than DISK_RESERVE, or next to no inodes, so that no more instances are ' +
        'started here: 1 yes, 0 no.',
      [],
    ),
    reloads: counter(
      'try_it_now_template_reloads_total',
      'Reloads of the templates by this process, by what came of them.',
      {
        outcome: RELOAD_OUTCOMES,
      },
    ),
    jobsRunning: gauge(
      'try_it_now_operator_jobs_running',
      'Long work that operators began in this server and that goes on, by action.',
      ['action'],
    ),
    jobs: counter(
      'try_it_now_operator_jobs_total',
      'Long work that operators began in this server and that has ended, by how.',
      { action: JOB_ACTIONS, outcome: ['done', 'failed'] },
    ),
    repairs: counter('try_it_now_reconcile_repairs_total', 'Drift that was found and repaired, by kind.', {
      kind: REPAIR_KINDS,
    }),
    leaks: gauge(
      'try_it_now_leaks',
      'Drift that this process found when it last compared the recorded state with what is there, by kind; ' +
        'containers, ' +
        'networks and databases are those that no record knows.',
      ['kind'],
    ),
    driftDetectedAt: gauge(
      'try_it_now_survey_timestamp_seconds',
      'When this process last compared the recorded state with what is there, in seconds since the Unix epoch.',
      [],
    ),
    tasks: counter(
      'try_it_now_tasks_total',
      'Attempts at tasks of the queue, by how they ended; dead-lettered and unreadable ones are kept to be inspected.',
      { kind: TASK_KINDS, outcome: TASK_OUTCOMES },
    ),
    redeliveries: counter(
      'try_it_now_task_redeliveries_total',
      'Tasks that came to a worker again after an attempt that was not completed.',
      { kind: TASK_KINDS },
    ),
    idleChecks: counter('try_it_now_stock_checks_total', 'Health checks of ready instances, by result.', {
      template: templates,
      result: CHECK_RESULTS,
    }),
    imagesFetched: counter('try_it_now_images_fetched_total', 'Images that were fetched from their registry.', {
      status: STATUSES,
    }),
    imagesTried: counter(
      'try_it_now_image_trials_total',
      'New images that were tried before anybody gets them: adopted, refused, or untried, as something else failed.',
      { outcome: IMAGE_OUTCOMES },
    ),
    checkpointsCarried: counter(
      'try_it_now_checkpoints_carried_total',
      'Promoted checkpoints that were left for other nodes (left), fetched from one and tried here (fetched), or ' +
        'made here in place of one that does not work on this host (made).',
      { template: templates, how: CHECKPOINT_CARRIAGES, status: STATUSES },
    ),
    breakerChanges: counter(
      'try_it_now_breaker_changes_total',
      'How often refills of a template were stopped because it kept failing (open), and taken up again once an ' +
        'instance came up (closed).',
      { template: templates, state: BREAKER_STATES },
    ),
    http: histogram(
      'try_it_now_http_request_duration_seconds',
      'How long requests took, by route and class of status, in seconds.',
      { method: ANY, route: ANY, status: ANY },
      HTTP_BUCKETS,
    ),
  };
}

function namesOf<Name extends string>(labels: Labels<Name>): Name[] {
  return Object.keys(labels) as Name[];
}

/** A series that appears with its first event has no earlier value, and rate() would miss that event. */
function knownSeries<Name extends string>(labels: Labels<Name>): LabelValues<Name>[] {
  let known: LabelValues<Name>[] = [{}];
  for (const name of namesOf(labels))
    known = known.flatMap((series) => (labels[name] ?? []).map((value) => ({ ...series, [name]: value })));
  return known;
}

/** Those of one template; none of what does not tell templates apart. */
function ofTemplate<Name extends string>(labels: Labels<Name>, template: string): LabelValues<Name>[] {
  return 'template' in labels ? knownSeries({ ...labels, template: [template] }) : [];
}

/** The library takes away a series by all of its labels alone, and lists them in this field of every metric. */
function removeSeriesOf(metric: Metric, template: string): void {
  const { hashMap = {} } = metric as {
    readonly hashMap?: Readonly<Record<string, { readonly labels: LabelValues<string> }>>;
  };
  for (const { labels } of Object.values(hashMap)) if (labels['template'] === template) metric.remove(labels);
}

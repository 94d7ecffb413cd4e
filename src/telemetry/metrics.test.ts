import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { findProgram } from '../launcher/child-server.ts';
import type { PoolStats } from '../pool/interfaces/inventory.ts';
import type { Observer } from '../pool/interfaces/observer.ts';
import { DiscoveryMetrics } from './discovery-metrics.ts';
import type { EventDepths } from './event-gauges.ts';
import { Metrics, type MetricsOptions } from './metrics.ts';
import type { QueueDepths } from './scraped-gauges.ts';

const STATS: PoolStats = { ready: 3, assigned: 2, warming: 1, leaving: 4, waiting: 0, target: 5, capacity: 20 };
const DEPTHS: QueueDepths = {
  consumers: new Map([['provision-workers', { pending: 7, inFlight: 2, redelivered: 1 }]]),
  dead: new Map([['PROVISIONING_DEAD', 1]]),
  oldestAgeMs: 42_000,
};

function metrics(sources: MetricsOptions['sources'] = {}): Metrics {
  return new Metrics({ templates: ['hello', 'clock'], version: '1.2.3', sources, sourceTimeoutMs: 50 });
}

/** The value of one series, undefined when there is none. */
async function value(of: { text(): Promise<string> }, series: string): Promise<number | undefined> {
  const line = (await of.text()).split('\n').find((text) => text.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

async function seriesOf(of: { text(): Promise<string> }, prefix: string): Promise<string[]> {
  return (await of.text()).split('\n').filter((line) => line.startsWith(prefix));
}

describe('what the pool tells', () => {
  it.each<[string, (observer: Observer) => void, string, number]>([
    [
      'a claim',
      (to) => to.claimed('hello', 'taken', 0.2),
      'try_it_now_takes_total{template="hello",outcome="taken"}',
      1,
    ],
    [
      'its duration',
      (to) => to.claimed('hello', 'taken', 0.2),
      'try_it_now_take_duration_seconds_sum{template="hello"}',
      0.0002,
    ],
    [
      'its bucket',
      (to) => to.claimed('hello', 'empty', 0.2),
      'try_it_now_take_duration_seconds_bucket{le="0.00025",template="hello"}',
      1,
    ],
    [
      'a refusal',
      (to) => to.claimed('clock', 'limited', 1),
      'try_it_now_takes_total{template="clock",outcome="limited"}',
      1,
    ],
    [
      'which limit it met',
      (to) => to.limited('clock', 'daily'),
      'try_it_now_rate_limit_refusals_total{template="clock",window="daily"}',
      1,
    ],
    [
      'the look before delivery',
      (to) => to.deliveryChecked('hello', 2),
      'try_it_now_delivery_check_duration_seconds_sum{template="hello"}',
      0.002,
    ],
    [
      'the whole of it',
      (to) => to.acquired('hello', 3),
      'try_it_now_acquire_duration_seconds_sum{template="hello"}',
      0.003,
    ],
    [
      'a provision',
      (to) => to.provision('hello', 'cold_start', 'success', 4_500),
      'try_it_now_provisions_total{template="hello",method="cold_start",status="success"}',
      1,
    ],
    [
      'its duration',
      (to) => to.provision('hello', 'criu_restore', 'success', 600),
      'try_it_now_provision_duration_seconds_sum{template="hello",method="criu_restore"}',
      0.6,
    ],
    [
      'a failed provision',
      (to) => to.provision('hello', 'cold_start', 'failure', 60_000),
      'try_it_now_provisions_total{template="hello",method="cold_start",status="failure"}',
      1,
    ],
    [
      'no duration of a failed one',
      (to) => to.provision('hello', 'cold_start', 'failure', 60_000),
      'try_it_now_provision_duration_seconds_count{template="hello",method="cold_start"}',
      0,
    ],
    [
      'why it failed',
      (to) => to.provisionFailed('hello', 'image_missing'),
      'try_it_now_provision_failures_total{template="hello",code="image_missing"}',
      1,
    ],
    [
      'a phase',
      (to) => to.provisionPhase('hello', 'readiness', 250),
      'try_it_now_provision_phase_duration_seconds_sum{template="hello",phase="readiness"}',
      0.25,
    ],
    [
      'a restore as a phase',
      (to) => to.provisionPhase('hello', 'restore', 400),
      'try_it_now_provision_phase_duration_seconds_sum{template="hello",phase="restore"}',
      0.4,
    ],
    [
      'a restore of its own',
      (to) => to.provisionPhase('hello', 'restore', 400),
      'try_it_now_criu_restore_duration_seconds_sum{template="hello"}',
      0.4,
    ],
    [
      'where alerts on slow restores are drawn',
      (to) => to.provisionPhase('hello', 'restore', 7_000),
      'try_it_now_criu_restore_duration_seconds_bucket{le="5",template="hello"}',
      0,
    ],
    [
      'and twice as slow',
      (to) => to.provisionPhase('hello', 'restore', 7_000),
      'try_it_now_criu_restore_duration_seconds_bucket{le="10",template="hello"}',
      1,
    ],
    [
      'no restore when it was a start',
      (to) => to.provisionPhase('hello', 'container', 400),
      'try_it_now_criu_restore_duration_seconds_count{template="hello"}',
      0,
    ],
    [
      'an activation',
      (to) => to.provisionPhase('hello', 'activation', 8),
      'try_it_now_provision_phase_duration_seconds_bucket{le="0.01",template="hello",phase="activation"}',
      1,
    ],
    [
      'an orphaned database',
      (to) => to.repaired('database', 1),
      'try_it_now_reconcile_repairs_total{kind="database"}',
      1,
    ],
    [
      'a release',
      (to) => to.release('hello', 'expired'),
      'try_it_now_releases_total{template="hello",reason="expired"}',
      1,
    ],
    [
      'a cleanup',
      (to) => to.cleanup('hello', 'success', 40),
      'try_it_now_cleanup_duration_seconds_sum{template="hello"}',
      0.04,
    ],
    [
      'a failed cleanup',
      (to) => to.cleanup('hello', 'failure', 40),
      'try_it_now_cleanups_total{template="hello",status="failure"}',
      1,
    ],
    ['expiry lag', (to) => to.expiryLag(1_500), 'try_it_now_expiry_lag_seconds_sum', 1.5],
    ['repairs', (to) => to.repaired('port', 3), 'try_it_now_reconcile_repairs_total{kind="port"}', 3],
    ['no repairs', (to) => to.repaired('port', 0), 'try_it_now_reconcile_repairs_total{kind="port"}', 0],
  ])('is counted: %s', async (_what, tell, series, expected) => {
    const counted = metrics();
    tell(counted);
    expect(await value(counted, series)).toBe(expected);
  });

  it('starts at zero wherever the labels are known, so that the first event shows in a rate', async () => {
    const fresh = metrics();
    for (const series of [
      'try_it_now_takes_total{template="clock",outcome="key_reused"}',
      'try_it_now_take_duration_seconds_count{template="clock"}',
      'try_it_now_provisions_total{template="clock",method="criu_restore",status="failure"}',
      'try_it_now_provision_duration_seconds_bucket{le="+Inf",template="clock",method="cold_start"}',
      'try_it_now_provision_phase_duration_seconds_count{template="clock",phase="database"}',
      'try_it_now_criu_restore_duration_seconds_count{template="clock"}',
      'try_it_now_releases_total{template="clock",reason="abandoned"}',
      'try_it_now_reconcile_repairs_total{kind="database"}',
      'try_it_now_cleanups_total{template="clock",status="success"}',
      'try_it_now_expiry_lag_seconds_count',
      'try_it_now_reconcile_repairs_total{kind="proxy"}',
    ])
      expect([series, await value(fresh, series)]).toEqual([series, 0]);
  });

  it('of templates that are no longer offered makes one series, not one each', async () => {
    const counted = metrics();
    for (const name of ['old', 'older']) {
      counted.claimed(name, 'taken', 1);
      counted.release(name, 'outdated');
      counted.provision(name, 'cold_start', 'failure', 1);
      counted.cleanup(name, 'success', 1);
    }
    expect(await value(counted, 'try_it_now_takes_total{template="(former)",outcome="taken"}')).toBe(2);
    expect(await value(counted, 'try_it_now_releases_total{template="(former)",reason="outdated"}')).toBe(2);
    expect(await counted.text()).not.toContain('older');
  });

  it('has how far events of visits have come, where somebody is told any, and nothing old', async () => {
    let depths: Promise<EventDepths> = Promise.resolve({
      waiting: 3,
      oldestAgeMs: 4_500,
      dropped: 2,
      lost: new Map([['crm', 5]]),
      webhooks: new Map([['crm', { pending: 7, dead: 1 }]]),
    });
    const told = metrics({ events: () => depths });
    const SERIES = [
      'try_it_now_event_outbox_waiting',
      'try_it_now_event_outbox_oldest_age_seconds',
      'try_it_now_events_dropped',
      'try_it_now_webhook_pending{webhook="crm"}',
      'try_it_now_webhook_dead{webhook="crm"}',
      'try_it_now_webhook_lost{webhook="crm"}',
    ];
    const read = (of: Metrics) => Promise.all(SERIES.map((series) => value(of, series)));
    expect(await read(told)).toEqual([3, 4.5, 2, 7, 1, 5]);
    depths = Promise.reject(new Error('NATS is away'));
    expect(await read(told)).toEqual(SERIES.map(() => undefined));
    expect(await read(metrics())).toEqual(SERIES.map(() => undefined));
  });

  it('tells what could take the place of Valkey, unless Valkey does not answer', async () => {
    let figures = Promise.resolve({ sentinels: 3, lagsMs: [1_000, 12_000] as readonly number[] });
    const told = metrics({ replication: () => figures });
    const SERIES = [
      'try_it_now_valkey_sentinels',
      'try_it_now_valkey_replicas',
      'try_it_now_valkey_replica_lag_seconds',
    ];
    const read = () => Promise.all(SERIES.map((series) => value(told, series)));
    expect(await read()).toEqual([3, 2, 12]);
    figures = Promise.resolve({ sentinels: 3, lagsMs: [] });
    expect(await read()).toEqual([3, 0, undefined]);
    figures = Promise.reject(new Error('Valkey is down'));
    expect(await read()).toEqual([undefined, undefined, undefined]);
  });

  it('has what discovery sees of visits under the name that the server has for the rest', async () => {
    const seen = new DiscoveryMetrics({
      version: '1.2.3',
      outcomes: ['known'],
      stats: () => ({ hostnames: 0, inStep: true, resyncs: 0 }),
    });
    seen.visitStep('hello', 'docs.example.org', 'first_page');
    const labels = 'template="hello",site="docs.example.org",step="first_page"';
    expect(await value(seen, `try_it_now_funnel_total{${labels}}`)).toBe(1);
  });

  it('is not mixed up between two servers in one process', async () => {
    const [one, other] = [metrics(), metrics()];
    one.expiryLag(1);
    expect(await value(one, 'try_it_now_expiry_lag_seconds_count')).toBe(1);
    expect(await value(other, 'try_it_now_expiry_lag_seconds_count')).toBe(0);
  });
});

describe('requests', () => {
  it('are counted by route and class of status', async () => {
    const counted = metrics();
    const observe = counted.route('GET', '/api/v1/demo/:id');
    observe(200, 2);
    observe(204, 2);
    observe(404, 2);
    observe(999, 2);
    const series = (status: string) =>
      value(
        counted,
        `try_it_now_http_request_duration_seconds_count{method="GET",route="/api/v1/demo/:id",status="${status}"}`,
      );
    expect([await series('2xx'), await series('4xx'), await series('5xx')]).toEqual([2, 1, 1]);
  });
});

describe('a scrape', () => {
  const stats = () => Promise.resolve(new Map([['hello', STATS]]));
  const queue = () => Promise.resolve(DEPTHS);

  it('reads the pools and the queue as they are then', async () => {
    let ready = 3;
    const counted = metrics({ stats: () => Promise.resolve(new Map([['hello', { ...STATS, ready }]])), queue });
    for (const [figure, expected] of Object.entries(STATS))
      expect([figure, await value(counted, `try_it_now_pool_${figure}{template="hello"}`)]).toEqual([figure, expected]);
    ready = 0;
    expect(await value(counted, 'try_it_now_pool_ready{template="hello"}')).toBe(0);
    expect(await value(counted, 'try_it_now_queue_pending{consumer="provision-workers"}')).toBe(7);
    expect(await value(counted, 'try_it_now_queue_in_flight{consumer="provision-workers"}')).toBe(2);
    expect(await value(counted, 'try_it_now_queue_dead{stream="PROVISIONING_DEAD"}')).toBe(1);
    expect((await seriesOf(counted, 'try_it_now_dependency_up')).sort()).toEqual([
      'try_it_now_dependency_up{dependency="nats"} 1',
      'try_it_now_dependency_up{dependency="valkey"} 1',
    ]);
    expect(await value(counted, 'try_it_now_queue_redelivered{consumer="provision-workers"}')).toBe(1);
    expect(await value(counted, 'try_it_now_queue_oldest_task_age_seconds')).toBe(42);
  });

  it.each([
    ['refuses', () => Promise.reject(new Error('connection refused'))],
    ['hangs', () => new Promise<never>(() => undefined)],
    [
      'throws',
      () => {
        throw new Error('closed');
      },
    ],
  ])('goes on without a source that %s, and says which is down', async (_how, broken) => {
    let down = false;
    const counted = metrics({
      stats: () => (down ? broken() : stats()),
      queue: () => (down ? broken() : queue()),
      dependencies: { proxy: () => (down ? broken() : Promise.resolve()), engine: () => Promise.resolve() },
    });
    expect(await seriesOf(counted, 'try_it_now_pool_')).toHaveLength(7);
    down = true;
    expect(await seriesOf(counted, 'try_it_now_pool_')).toEqual([]);
    expect(await seriesOf(counted, 'try_it_now_queue_')).toEqual([]);
    expect((await seriesOf(counted, 'try_it_now_dependency_up')).sort()).toEqual(
      ['engine"} 1', 'nats"} 0', 'proxy"} 0', 'valkey"} 0'].map((end) => `try_it_now_dependency_up{dependency="${end}`),
    );
    expect(await value(counted, 'try_it_now_reconcile_repairs_total{kind="port"}')).toBe(0);
    down = false;
    expect(await value(counted, 'try_it_now_pool_ready{template="hello"}')).toBe(3);
    expect(await value(counted, 'try_it_now_dependency_up{dependency="valkey"}')).toBe(1);
  });

  it('shares one reading with the scrapes of the same moment', async () => {
    let readings = 0;
    const counted = metrics({
      stats: () => {
        readings += 1;
        return stats();
      },
    });
    await Promise.all([counted.text(), counted.text(), counted.text()]);
    expect(readings).toBe(1);
    await counted.text();
    expect(readings).toBe(2);
  });

  it('says what is running, and how the process fares', async () => {
    expect(await value(metrics(), 'try_it_now_build_info{version="1.2.3"}')).toBe(1);
    expect(await value(metrics(), 'process_resident_memory_bytes')).toBeGreaterThan(1_000_000);
  });
});

describe('discovery', () => {
  it('counts its answers and tells how far it is in step', async () => {
    const stats = { hostnames: 12, inStep: true, resyncs: 2 };
    const counted = new DiscoveryMetrics({ version: '1', outcomes: ['known', 'unknown'], stats: () => stats });
    counted.answered('known');
    expect(await seriesOf(counted, 'try_it_now_dns_')).toEqual([
      'try_it_now_dns_answers_total{outcome="known"} 1',
      'try_it_now_dns_answers_total{outcome="unknown"} 0',
      'try_it_now_dns_hostnames 12',
      'try_it_now_dns_in_step 1',
      'try_it_now_dns_resyncs_total 2',
    ]);
    stats.inStep = false;
    stats.resyncs = 3;
    expect(await value(counted, 'try_it_now_dns_in_step')).toBe(0);
    expect(await value(counted, 'try_it_now_dns_resyncs_total')).toBe(3);
  });
});

describe('the text', () => {
  const promtool = findProgram('promtool');
  if (promtool === undefined)
    process.stdout.write('Skipped: the check by promtool, which is not installed (Debian package prometheus).\n');

  it.skipIf(promtool === undefined)("passes Prometheus' own check of names, units and help", async () => {
    const counted = metrics({
      stats: () => Promise.resolve(new Map([['hello', STATS]])),
      queue: () => Promise.resolve(DEPTHS),
      fleet: () => Promise.resolve({ nodes: [], templates: ['hello'], placement: 'pack' }),
      copies: () => Promise.resolve([{ stream: 'TASKS', isLed: true, areConsumersLed: true, missing: 0 }]),
      dependencies: { proxy: () => Promise.resolve() },
    });
    counted.route('GET', '/')(200, 1);
    counted.provisionFailed('hello', 'image_missing');
    const discovery = new DiscoveryMetrics({
      version: '1',
      outcomes: ['known'],
      stats: () => ({ hostnames: 0, inStep: true, resyncs: 0 }),
    });
    for (const text of [await counted.text(), await discovery.text()]) {
      expect(execFileSync(promtool ?? '', ['check', 'metrics'], { input: text, encoding: 'utf8' })).toBe('');
    }
  });
});

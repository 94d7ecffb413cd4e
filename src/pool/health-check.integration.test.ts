import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Instance } from '../domain/instance.ts';
import { Catalogue } from '../domain/template.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { sleep } from '../lifecycle/sleep.ts';
import { HttpProbe } from '../runtime/readiness/http-probe.ts';
import { SimulatedRuntime } from '../runtime/simulated/simulated-runtime.ts';
import { keys } from '../store/keys.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { LogBook, TestNats } from '../../test/support/queue.ts';
import { eventually } from '../../test/support/eventually.ts';
import { silent, startStore, fillPool, type TestStore } from '../../test/support/store.ts';
import { readiness, template } from '../../test/support/templates.ts';
import { FailuresHere } from './failures-here.ts';
import { HealthCheck } from './health-check.ts';

const five = template({
  name: 'five',
  readiness: { ...readiness('/health', 1_000), requestTimeoutMs: 3_000 },
  pool: { target: 5, max: 20, replenishThreshold: 0 },
});
const single = template({
  name: 'single',
  readiness: { ...readiness('/', 1_000), requestTimeoutMs: 30_000 },
  pool: { target: 1, max: 20, replenishThreshold: 0 },
});
const brisk = template({
  name: 'brisk',
  readiness: { ...readiness('/', 1_000), requestTimeoutMs: 300_000 },
  pool: { target: 5, max: 20, replenishThreshold: 0 },
});
const patient = template({ ...brisk, name: 'patient', replaceSlow: false });
const never = new AbortController().signal;

let releasers: Releasers;
let store: TestStore;
let health: HealthCheck;
let failuresHere: FailuresHere;
let metrics: Metrics;
let log: LogBook;
let demands: number;
let nowMs: number;

beforeEach(async () => {
  releasers = new Releasers();
  store = await startStore();
  releasers.push('store', () => store[Symbol.asyncDispose]());
  const nats = await TestNats.start();
  releasers.push('nats', () => nats[Symbol.asyncDispose]());
  metrics = new Metrics({ templates: ['five', 'single', 'brisk', 'patient'], version: 'test' });
  log = new LogBook();
  demands = 0;
  nowMs = Date.now();
  const catalogue = new Catalogue([five, single, brisk, patient]);
  const clock = { now: () => nowMs };
  failuresHere = new FailuresHere({ catalogue, steadyClock: { passedMs: () => nowMs } });
  health = new HealthCheck({
    ...{ catalogue, clock, failuresHere },
    inventory: store.inventory,
    cleanupStore: store.cleanupStore,
    provisioningStore: store.provisioningStore,
    failureLog: store.failureLog,
    queue: (await nats.publisher()).queue,
    probe: new HttpProbe(),
    observer: metrics,
    log,
    runtime: new SimulatedRuntime(),
    address: { scheme: 'http', baseDomain: 'localhost', port: undefined },
    node: { name: 'node0', address: '127.0.0.1' },
    requestRefill: () => {
      demands += 1;
    },
  });
  return () => releasers.releaseAll(silent);
});

/** Stands in for an instance's app on its port. Returns how to change what it answers. */
async function app({ port }: Instance, listener: RequestListener): Promise<(to: RequestListener) => void> {
  let current = listener;
  const server = createServer((request, response) => current(request, response));
  server.listen(port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  releasers.push('app', async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return (to) => {
    current = to;
  };
}

const well: RequestListener = (request, response) => response.writeHead(request.url === '/health' ? 204 : 404).end();
const ill: RequestListener = (_request, response) => response.writeHead(500).end();
const silence: RequestListener = () => undefined;

function instance(found: Instance | undefined): Instance {
  if (found === undefined) throw new Error('the pool was not filled');
  return found;
}

async function ready(of: readonly Instance[]): Promise<readonly Instance[]> {
  const views = await store.claimStore.findMany(of.map(({ id }) => id));
  return of.filter(({ id }) => views.get(id)?.instance.state === 'ready');
}

async function checks(template: string, result: string): Promise<number> {
  const series = `try_it_now_stock_checks_total{template="${template}",result="${result}"} `;
  return Number(
    (await metrics.text())
      .split('\n')
      .find((line) => line.startsWith(series))
      ?.slice(series.length),
  );
}

describe('idle instance health', () => {
  it('replaces what fails two looks in a row, by a wrong answer, none, or nobody listening, and says so', async () => {
    const [healthy, broken, hung, dead, other] = await fillPool(store, five);
    if (
      healthy === undefined ||
      broken === undefined ||
      hung === undefined ||
      dead === undefined ||
      other === undefined
    )
      throw new Error('the pool was not filled');
    await app(healthy, well);
    await app(other, well);
    await app(broken, ill);
    await app(hung, silence);
    await health.round(never);
    expect(await ready([healthy, broken, hung, dead, other])).toHaveLength(5);
    expect(await checks('five', 'unhealthy')).toBe(3);
    await health.round(never);
    // Half of five at most; the third goes in the round after.
    expect(await ready([broken, hung, dead])).toHaveLength(1);
    await health.round(never);
    expect((await ready([healthy, broken, hung, dead, other])).map(({ id }) => id)).toEqual([healthy.id, other.id]);
    expect(demands).toBe(3);
    expect(
      log
        .with('does not answer any more')
        .map(({ fields }) => fields['instance'])
        .sort(),
    ).toEqual([broken.id, hung.id, dead.id].sort());
    expect(await store.claimStore.find(dead.id)).toMatchObject({
      instance: { state: 'releasing', reason: 'unhealthy' },
    });
    expect(await checks('five', 'healthy')).toBe(6);
  });

  it('forgives one that is well again in between', async () => {
    const [one] = await fillPool(store, single);
    if (one === undefined) throw new Error('the pool was not filled');
    const answer = await app(one, ill);
    await health.round(never);
    answer((_request, response) => response.end());
    await health.round(never);
    answer(ill);
    await health.round(never);
    expect(await ready([one])).toHaveLength(1);
  });

  it('replaces the only one there is', async () => {
    const [one] = await fillPool(store, single);
    if (one === undefined) throw new Error('the pool was not filled');
    await health.round(never);
    await health.round(never);
    expect(await ready([one])).toEqual([]);
  });

  it("leaves a visitor's instance to its visitor, also when he takes it while it is checked", async () => {
    const [one] = await fillPool(store, single);
    if (one === undefined) throw new Error('the pool was not filled');
    await health.round(never);
    await app(one, (_request, response) => {
      void store.claimStore
        .claim({ template: single, clientKey: '203.0.113.7', owner: 'a', idempotencyKey: undefined, ttlMs: 60_000 })
        .then(() => response.writeHead(500).end());
    });
    await health.round(never);
    expect(await store.claimStore.find(one.id)).toMatchObject({ instance: { state: 'assigned', owner: 'a' } });
  });

  it('learns nothing from a look that is cut off', async () => {
    const [one] = await fillPool(store, single);
    if (one === undefined) throw new Error('the pool was not filled');
    const asked = new AbortController();
    const answer = await app(one, () => asked.abort());
    await health.round(asked.signal);
    await health.round(asked.signal);
    answer(ill);
    await health.round(never);
    expect(await ready([one])).toHaveLength(1);
    expect(await checks('single', 'unhealthy')).toBe(1);
  });

  it('replaces what has become much slower than the others, where the template does not keep it', async () => {
    const pools = [await fillPool(store, brisk), await fillPool(store, patient)];
    let begunMs = 0;
    let rounds = 0;
    const round = async (): Promise<void> => {
      begunMs = performance.now();
      rounds += 1;
      await health.round(never);
    };
    /** Ten times as long as any of the others can have taken, and a second. */
    const late: RequestListener = (_request, response) => {
      void eventually(async () => {
        const others = (await checks('brisk', 'healthy')) + (await checks('patient', 'healthy'));
        expect(others).toBeGreaterThanOrEqual(10 * rounds - 2);
      })
        .then(() => sleep(1_001 + 10 * (performance.now() - begunMs)))
        .then(() => response.end());
    };
    const answers = await Promise.all(pools.map(([first]) => app(instance(first), (_, response) => response.end())));
    for (const each of pools.flatMap((pool) => pool.slice(1))) await app(each, (_, response) => response.end());
    for (const answer of answers) answer(late);
    await round();
    await round();
    expect(await ready(pools.flat())).toHaveLength(10);
    await round();

    const [slow, kept] = pools.map(([first]) => instance(first).id);
    expect(await ready(pools.flat())).toEqual(pools.flat().filter(({ id }) => id !== slow));
    expect(await store.claimStore.find(slow ?? '')).toMatchObject({ instance: { state: 'releasing', reason: 'slow' } });
    expect(log.with('much later than the others').map(({ fields }) => fields['instance'])).toEqual([slow]);
    expect(await store.claimStore.find(kept ?? '')).toMatchObject({ instance: { state: 'ready' } });
    expect(await store.breakers.read(['brisk'])).toEqual(
      new Map([['brisk', expect.objectContaining({ open: false })]]),
    );
    expect(demands).toBe(1);
  });

  it('opens the breaker of a template whose ready instances keep failing, until one of them stays', async () => {
    const broken = async (): Promise<void> => {
      await fillPool(store, single);
      await health.round(never);
      await health.round(never);
    };
    const breaker = async () => (await store.breakers.read(['single'])).get('single');
    await broken();
    await broken();
    expect(await breaker()).toMatchObject({ open: false });
    expect(failuresHere.whyNot('single')).toBe('');
    await broken();
    expect(await breaker()).toMatchObject({ open: true, failures: 3 });
    // Others are to make it, should it be this node's fault.
    expect(failuresHere.whyNot('single')).toMatch(/^3 ready ones failed there in a row: .*connection refused/s);
    expect(await store.failureLog.recent('single')).toMatchObject([
      { code: 'instance_unhealthy', reason: expect.stringContaining('connection refused') as string },
      {},
      {},
    ]);
    // The pause is over, and another comes up: that says nothing.
    await store.valkey.hset(keys.refillPause('single'), 'until_ms', 0);
    const [one] = await fillPool(store, single);
    if (one === undefined) throw new Error('the pool was not filled');
    expect(await breaker()).toMatchObject({ open: true });
    await app(one, (_, response) => void response.end());
    await health.round(never);
    expect(await breaker()).toMatchObject({ open: true });
    nowMs += 120_000;
    await health.round(never);
    expect(await breaker()).toMatchObject({ open: false, failures: 0 });
    expect(failuresHere.whyNot('single')).toBe('');
    // What another node counts, this one forgives as well: its own stays.
    for (let count = 0; count < 3; count += 1) await store.provisioningStore.recordUnhealthy('single', '');
    expect(await breaker()).toMatchObject({ open: true });
    await health.round(never);
    expect(await breaker()).toMatchObject({ open: false });
  });
});

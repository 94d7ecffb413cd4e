import { createHash } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { unreachablePort } from '../../test/support/unreachable-port.ts';
import { eventually } from '../../test/support/eventually.ts';
import { LogBook, RecordingHandlers, TestNats } from '../../test/support/queue.ts';
import { startStore, fillPool, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import type { Instance } from '../domain/instance.ts';
import { systemClock } from '../domain/clock.ts';
import type { GateMode } from '../domain/gate-mode.ts';
import { Catalogue } from '../domain/template.ts';
import { NO_TRACER } from '../domain/tracer.ts';
import { freePort } from '../launcher/tcp-ports.ts';
import { HttpProbe } from '../runtime/readiness/http-probe.ts';
import { SimulatedRuntime } from '../runtime/simulated/simulated-runtime.ts';
import { keys } from '../store/keys.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { Admission } from './admission.ts';
import { acquire, acquireOrWait, type AcquireDeps, type AcquireRequest } from './acquire.ts';
import { Gate } from './gate.ts';
import { ProofOfWork, type Challenge } from './proof-of-work.ts';
import { DeliveryCheck } from './delivery-check.ts';
import { RunningContainers } from './running-containers.ts';
import type { TaskQueue } from './interfaces/task-queue.ts';

// Without the loops of a server, so that nothing else can find the dead ones first.
const tiny = template();
const SUBJECT = '203.0.113.7';
const handlers = new RecordingHandlers();
let nats: TestNats;
let queue: TaskQueue;
let store: TestStore;
let runtime: SimulatedRuntime;
beforeAll(async () => {
  nats = await TestNats.start();
  await nats.workers(handlers);
  ({ queue } = await nats.publisher());
  store = await startStore({ limits: { hourly: 5, daily: 5 } });
  runtime = new SimulatedRuntime();
});
afterAll(async () => {
  await runtime.close();
  await store[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
});
beforeEach(async () => {
  for (const { name } of await runtime.list()) await runtime.remove(name);
  await store.clear();
  await store.registry.announce('simulated');
});

const proof = () => new ProofOfWork({ store: store.challengeStore, clock: systemClock, maxNumber: 2_000 });
const gateOf = (mode: GateMode, observer = new Metrics({ templates: ['tiny'], version: 'test' })) =>
  new Gate({
    mode,
    catalogue: new Catalogue([tiny]),
    inventory: store.inventory,
    proof: proof(),
    observer,
    log: new LogBook(),
  });

interface Bench {
  readonly deps: AcquireDeps;
  readonly log: LogBook;
  readonly metrics: Metrics;
  /** In the order in which they are handed out. */
  readonly instances: readonly Instance[];
  /** By the hour and by the day. */
  readonly counted: () => Promise<(number | null)[]>;
}

/** A pool of three that run, but those named by their place in the line. */
async function bench(dead: readonly number[]): Promise<Bench> {
  await fillPool(store, tiny);
  const ids = await store.valkey.zrange(keys.ready('tiny'), 0, -1);
  const views = await store.claimStore.findMany(ids);
  const instances = ids.flatMap((id) => views.get(id)?.instance ?? []);
  for (const [at, { id, container, port }] of instances.entries()) {
    if (!dead.includes(at))
      await runtime.start(
        { name: container, instanceId: id, template: tiny, hostPort: port ?? 0, env: {} },
        new AbortController().signal,
      );
  }
  const log = new LogBook();
  const metrics = new Metrics({ templates: ['tiny'], version: 'test' });
  return {
    log,
    metrics,
    instances,
    deps: {
      catalogue: new Catalogue([tiny]),
      tracer: NO_TRACER,
      claimStore: store.claimStore,
      admission: new Admission({ held: { perClient: 0, perNetwork: 0 } }),
      gate: gateOf('off'),
      shares: { noteTaken: () => undefined, noteRefused: () => undefined, noteEnded: () => undefined },
      cleanupStore: store.cleanupStore,
      queue,
      observer: metrics,
      log,
      deliveryCheck: new DeliveryCheck(new HttpProbe(), 'node0'),
      address: { baseDomain: 'localhost', scheme: 'http', port: undefined },
      runningContainers: new RunningContainers(runtime),
      registry: store.registry,
      node: { name: 'node0' },
      requestRefill: () => undefined,
    },
    counted: async () =>
      (await store.valkey.mget(keys.hourlyRate(SUBJECT), keys.dailyRate(SUBJECT))).map((text) =>
        text === null ? null : Number(text),
      ),
  };
}

const click = (overrides: Partial<AcquireRequest> = {}): AcquireRequest => ({
  template: undefined,
  clientKey: SUBJECT,
  owner: 'visitor',
  idempotencyKey: 'k',
  ...overrides,
});
const stateOf = async (id: string | undefined) => (await store.claimStore.find(id ?? ''))?.instance;

it('hands a living one out at once', async () => {
  const { deps, instances, counted } = await bench([]);
  expect(await acquire(deps, click())).toMatchObject({ id: instances[0]?.id, again: false });
  expect(await acquire(deps, click())).toMatchObject({ id: instances[0]?.id, again: true });
  expect(await counted()).toEqual([1, 1]);
});

it('replaces a dead one under the same key, counts once, and has it taken down', async () => {
  const { deps, instances, counted, log, metrics } = await bench([0]);
  expect(await acquire(deps, click())).toMatchObject({ id: instances[1]?.id, again: false });
  expect(await acquire(deps, click())).toMatchObject({ id: instances[1]?.id, again: true });
  expect(await counted()).toEqual([1, 1]);
  expect(await stateOf(instances[0]?.id)).toMatchObject({ state: 'releasing', reason: 'container_lost' });
  await eventually(() => expect(handlers.ids()).toContain(instances[0]?.id));
  expect(log.lines.map(({ level, fields }) => [level, fields['instance']])).toEqual([['warn', instances[0]?.id]]);
  const text = await metrics.text();
  for (const line of [
    'takes_total{template="tiny",outcome="replaced"} 1',
    'takes_total{template="tiny",outcome="taken"} 1',
    'releases_total{template="tiny",reason="container_lost"} 1',
  ]) {
    expect(text).toContain(`try_it_now_${line}`);
  }
});

it('counts who waits as placed once, however often their page asks, and as empty who gets nothing', async () => {
  const { deps, metrics } = await bench([]);
  const ready = await store.valkey.zrange(keys.ready('tiny'), 0, -1, 'WITHSCORES');
  await store.valkey.del(keys.ready('tiny'));
  const patient = { ...click({ owner: 'patient' }), idempotencyKey: 'page:tiny' };
  for (let looks = 0; looks < 4; looks += 1) expect(await acquireOrWait(deps, patient)).toMatchObject({ position: 1 });
  await expect(acquire(deps, click({ owner: 'impatient' }))).rejects.toMatchObject({ code: 'pool_empty' });
  for (let at = 0; at < ready.length; at += 2)
    await store.valkey.zadd(keys.ready('tiny'), ready[at + 1] ?? '', ready[at] ?? '');
  expect(await acquireOrWait(deps, patient)).toMatchObject({ again: false });
  const text = await metrics.text();
  for (const line of [
    'takes_total{template="tiny",outcome="placed"} 1',
    'takes_total{template="tiny",outcome="kept"} 3',
    'takes_total{template="tiny",outcome="empty"} 1',
    'takes_total{template="tiny",outcome="taken"} 1',
    'waits_total{template="tiny",outcome="served"} 1',
  ])
    expect(text).toContain(`try_it_now_${line}\n`);
});

it('replaces one that died after it was handed out when it is had again', async () => {
  const { deps, instances, counted } = await bench([]);
  const first = await acquire(deps, click());
  await runtime.remove(instances[0]?.container ?? '');
  const second = await acquire(deps, click());
  expect([second.again, second.id]).toEqual([false, instances[1]?.id]);
  expect(await stateOf(first.id)).toMatchObject({ state: 'releasing', reason: 'container_lost' });
  expect(await counted()).toEqual([1, 1]);
});

/** As if it had been made on a further node, where it is reached at this port. */
async function moveTo(node: string, port: number, instance: { readonly id: string } | undefined): Promise<void> {
  const record = await stateOf(instance?.id);
  if (record === undefined) throw new Error('there is no such instance');
  await store.valkey.hset(keys.nodes, node, JSON.stringify({ v: 1, address: '127.0.0.1', engine: 'simulated' }));
  await store.valkey.hset(keys.instances, record.id, JSON.stringify({ ...record, node, port }));
}

it('waits once for a node that is not reached, and leaves what else is ready there where it is', async () => {
  await using dropped = await unreachablePort();
  const { deps, instances, counted } = await bench([]);
  for (const instance of instances.slice(0, 2)) await moveTo('node7', dropped.port, instance);
  expect(await acquire(deps, click())).toMatchObject({ id: instances[2]?.id, again: false });
  expect(await stateOf(instances[0]?.id)).toMatchObject({ state: 'releasing', reason: 'container_lost' });
  expect(await stateOf(instances[1]?.id)).toMatchObject({ state: 'ready' });
  expect(await store.valkey.zscore(keys.ready('tiny'), instances[1]?.id ?? '')).not.toBeNull();
  expect(await counted()).toEqual([1, 1]);
});

it('replaces what a visitor holds on a lost node, and leaves it to them while the node is not lost', async () => {
  const { deps, instances, counted } = await bench([]);
  const first = await acquire(deps, click());
  await moveTo('node7', await freePort(), instances[0]);
  expect(await acquire(deps, click())).toMatchObject({ id: first.id, again: true });
  await store.registry.noteLoss('node7');
  expect(await acquire(deps, click())).toMatchObject({ id: instances[1]?.id, again: false });
  expect(await stateOf(first.id)).toMatchObject({ state: 'releasing', reason: 'node_lost' });
  expect(await counted()).toEqual([1, 1]);
});

it('leaves a visitor what they have worked in, when their app refuses a connection but still runs', async () => {
  const { deps, instances } = await bench([]);
  const first = await acquire(deps, click());
  const running = await runtime.list();
  await runtime.remove(instances[0]?.container ?? '');
  let lists = 0;
  const list = () => {
    lists += 1;
    return Promise.resolve(running);
  };
  const repeated = { ...deps, runningContainers: new RunningContainers({ list }) };
  const answers = await Promise.all(Array.from({ length: 50 }, () => acquire(repeated, click())));
  expect(new Set(answers.map(({ again, id }) => `${again} ${id}`))).toEqual(new Set([`true ${first.id}`]));
  // However often they ask, what starts and removes containers is not kept from its engine.
  expect(lists).toBe(1);
  expect(await stateOf(first.id)).toMatchObject({ state: 'assigned' });
});

it("hands out a node's instances however silent one is that a visitor has there already", async () => {
  const app = createServer((socket) => void socket.resume().on('error', () => undefined));
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
  const { deps, instances } = await bench([]);
  const first = await acquire(deps, click());
  await moveTo('node7', (app.address() as AddressInfo).port, instances[0]);
  await moveTo('node7', instances[1]?.port ?? 0, instances[1]);
  for (let times = 0; times < 3; times += 1)
    expect(await acquire(deps, click())).toMatchObject({ id: first.id, again: true });
  expect(deps.deliveryCheck.avoided()).toEqual([]);
  expect(await acquire(deps, click({ owner: 'another' }))).toMatchObject({ id: instances[1]?.id, again: false });
  await new Promise((resolve) => app.close(resolve));
});

it('replaces a dead one for who used up the limit, and takes what replaces that for a new click', async () => {
  const { deps, instances, counted } = await bench([]);
  const take = (gate = deps.gate) =>
    acquire({ ...deps, gate, runningContainers: new RunningContainers(runtime) }, click());
  await store.valkey.set(keys.hourlyRate(SUBJECT), 4, 'PX', 60_000);
  for (const at of [0, 1]) {
    expect(await take()).toMatchObject({ id: instances[at]?.id, again: false });
    await runtime.remove(instances[at]?.container ?? '');
  }
  await expect(take()).rejects.toMatchObject({ code: 'hourly_limit' });
  await store.valkey.set(keys.hourlyRate(SUBJECT), 1, 'PX', 60_000);
  await expect(take(gateOf('on'))).rejects.toMatchObject({ code: 'challenge_required' });
  expect(await take()).toMatchObject({ id: instances[2]?.id, again: false });
  await runtime.remove(instances[2]?.container ?? '');
  // It was handed out, and its visitor had it.
  await expect(take()).rejects.toMatchObject({ code: 'pool_empty' });
  expect(await counted()).toEqual([2, 2]);
});

it('refuses who holds as many as they may, says what they are, and has a dead one replaced all the same', async () => {
  const { deps, instances, metrics } = await bench([]);
  const limited = { ...deps, admission: new Admission({ held: { perClient: 2, perNetwork: 8 } }) };
  const [first, second] = [
    await acquire(limited, click()),
    await acquire(limited, click({ idempotencyKey: 'the other' })),
  ];
  const refused = await acquire(limited, click({ idempotencyKey: 'a third' })).catch((error: unknown) => error);
  expect(refused).toMatchObject({
    code: 'held_limit',
    status: 429,
    details: {
      scope: 'address',
      limit: 2,
      held: [first, second].map(({ expiresAtMs }) => ({
        template: 'tiny',
        expires_at: new Date(expiresAtMs).toISOString(),
      })),
    },
  });
  expect(JSON.stringify(refused)).not.toContain(first.id);
  expect(await metrics.text()).toContain('try_it_now_rate_limit_refusals_total{template="tiny",window="held"} 1');

  await runtime.remove(instances[0]?.container ?? '');
  expect(await acquire(limited, click())).toMatchObject({ id: instances[2]?.id, again: false });
  await expect(acquire(limited, click({ idempotencyKey: 'a third' }))).rejects.toMatchObject({ code: 'held_limit' });
});

/** As a browser solves it. */
function solved({ algorithm, challenge, maxnumber, salt, signature }: Challenge): string {
  for (let number = 0; number <= maxnumber; number += 1)
    if (createHash('sha256').update(`${salt}${number}`).digest('hex') === challenge)
      return Buffer.from(JSON.stringify({ algorithm, challenge, number, salt, signature })).toString('base64');
  throw new Error('the challenge has no solution');
}

it('hands out against a proof of work where the gate is raised: once each, to whom it was asked of', async () => {
  const { deps, metrics } = await bench([]);
  const gated = { ...deps, gate: gateOf('on', metrics) };
  const challengeOf = async (request: AcquireRequest): Promise<Challenge> => {
    const error = await acquire(gated, request).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'challenge_required', status: 403 });
    return (error as { details: { challenge: Challenge } }).details.challenge;
  };
  const request = click({ owner: 'visitor:somebody' });
  const solution = solved(await challengeOf(request));
  for (const changes of [{ owner: 'visitor:other' }, { clientKey: '203.0.113.8' }, { solution: 'bm9uc2Vuc2U=' }])
    await challengeOf({ ...request, solution, ...changes });
  const first = await acquire(gated, { ...request, solution });
  for (const [outcome, count] of [
    ['given', 4],
    ['solved', 1],
    ['refused', 3],
  ])
    expect(await metrics.text()).toContain(
      `try_it_now_gate_challenges_total{template="tiny",outcome="${outcome ?? ''}"} ${count ?? ''}`,
    );
  // A repeat needs none, a further one another.
  expect(await acquire(gated, request)).toMatchObject({ id: first.id, again: true });
  await challengeOf({ ...request, idempotencyKey: 'another', solution });

  expect(await acquire(gated, { ...request, idempotencyKey: 'by key', trusted: true })).toMatchObject({ again: false });
  // Who waits has proven it already.
  const waiting = { ...request, owner: 'visitor:patient', idempotencyKey: 'patient' };
  await acquire(deps, click({ idempotencyKey: 'the last' }));
  const proof = solved(await challengeOf({ ...waiting, idempotencyKey: 'patient' }));
  expect(await acquireOrWait(gated, { ...waiting, solution: proof })).toMatchObject({ position: 1 });
  expect(await acquireOrWait(gated, waiting)).toMatchObject({ position: 1 });
});

it('has who did harm prove work first, more each time, and wait from the second time on', async () => {
  const { deps } = await bench([]);
  const gated = { ...deps, gate: gateOf('auto') };
  const refusal = async (request: AcquireRequest, asked: AcquireDeps = gated) =>
    (await acquire(asked, request).catch((thrown: unknown) => thrown)) as {
      readonly code: string;
      readonly retryAfterMs: number;
      readonly details: { readonly challenge: Challenge };
    };
  const harm = async (request: AcquireRequest) => {
    const instance = await stateOf((await acquire(deps, { ...request, trusted: true })).id);
    if (instance !== undefined) await store.cleanupStore.release(instance, 'process_limit', { from: ['assigned'] });
  };
  const request = click({ owner: 'visitor:somebody', idempotencyKey: undefined });
  await harm(request);
  const { details } = await refusal(request);
  expect(details.challenge.maxnumber).toBe(4_000);
  const solution = solved(details.challenge);
  // What was worked out for somebody who did nothing is too little, and nothing to everybody else.
  const elsewhere = { ...request, clientKey: '203.0.113.8', owner: 'visitor:other' };
  expect(await acquire(gated, elsewhere)).toMatchObject({ again: false });
  expect(await refusal({ ...request, clientKey: '203.0.113.8' })).toMatchObject({ code: 'challenge_required' });
  expect(await refusal({ ...request, owner: 'visitor:other' })).toMatchObject({ code: 'challenge_required' });
  await harm(request);
  const paused = await refusal({ ...request, solution });
  expect(paused).toMatchObject({ code: 'harm_limit', status: 429 });
  expect(paused.retryAfterMs).toBeGreaterThan(30_000);
  expect(paused.retryAfterMs).toBeLessThanOrEqual(90_000);
  expect(await refusal(request, deps)).toMatchObject({ code: 'harm_limit' });
  const again = async (changes: Partial<AcquireRequest>) => acquire(gated, { ...elsewhere, ...changes });
  await expect(again({ clientKey: SUBJECT })).rejects.toMatchObject({ code: 'harm_limit' });
  await expect(again({ owner: 'visitor:somebody' })).rejects.toMatchObject({ code: 'harm_limit' });

  expect(await store.harmMemory.list()).toMatchObject([{ ends: 2 }, { ends: 2 }]);
  expect(await store.harmMemory.forget(SUBJECT)).toBe(true);
  expect(await again({ clientKey: SUBJECT }).catch((error: unknown) => error)).not.toMatchObject({
    code: 'harm_limit',
  });
});

it('says of an empty pool whether more are prepared, and when it is worth to come again', async () => {
  const { deps } = await bench([]);
  const other = template({ name: 'nothing', pool: { target: 0, max: 3, replenishThreshold: 0 } });
  const asking = { ...deps, catalogue: new Catalogue([tiny, other]) };
  const refused = (): Promise<unknown> =>
    acquire(asking, { ...click({ idempotencyKey: undefined }), template: 'nothing' }).catch((error: unknown) => error);
  expect(await refused()).toMatchObject({
    code: 'pool_empty',
    retryAfterMs: 30_000,
    details: { refill: 'off' },
    message: expect.stringContaining('none are kept ready: the target of "nothing" is 0') as string,
  });

  await store.valkey.hset(keys.refillPause('nothing'), { failures: 4, until_ms: Date.now() + 3_600_000 });
  const failing = (await refused()) as { readonly message: string; readonly retryAfterMs: number };
  expect(failing.message).toMatch(/its last 4 starts failed, and the next is tried in \d+ s/);
  expect(failing.retryAfterMs).toBeGreaterThan(3_000_000);
});

it('asks anyone who meets two to come again, at no cost, and counts them as turned away', async () => {
  const { deps, instances, counted, metrics } = await bench([0, 1]);
  await expect(acquire(deps, click())).rejects.toMatchObject({ code: 'pool_empty', retryAfterMs: 2_000 });
  expect(await counted()).toEqual([0, 0]);
  for (const [outcome, count] of Object.entries({ replaced: 2, empty: 1 }))
    expect(await metrics.text()).toContain(`takes_total{template="tiny",outcome="${outcome}"} ${count}\n`);
  expect(await metrics.text()).toContain('take_duration_seconds_count{template="tiny"} 2\n');
  for (const { id } of instances.slice(0, 2))
    expect(await stateOf(id)).toMatchObject({ state: 'releasing', reason: 'container_lost' });
  expect(await acquire(deps, click())).toMatchObject({ id: instances[2]?.id });
});

it('gives two clicks under one key the same replacement', async () => {
  const { deps, instances, counted } = await bench([]);
  await acquire(deps, click());
  await runtime.remove(instances[0]?.container ?? '');
  const both = await Promise.all([acquire(deps, click()), acquire(deps, click())]);
  expect(both.map(({ id }) => id)).toEqual([instances[1]?.id, instances[1]?.id]);
  expect(await counted()).toEqual([1, 1]);
});

it('counts once, too, where the dead one has been cleaned up before another is claimed', async () => {
  const { counted, instances } = await bench([]);
  const take = {
    template: tiny,
    clientKey: SUBJECT,
    ttlMs: tiny.ttl.defaultMs,
    idempotencyKey: undefined,
    owner: 'me',
  };
  await store.claimStore.claim(take);
  await store.valkey.hdel(keys.instances, instances[0]?.id ?? '');
  expect(await store.claimStore.claim({ ...take, replacing: instances[0]?.id ?? '' })).toMatchObject({ kind: 'taken' });
  expect(await counted()).toEqual([1, 1]);
});

it('does not let another owner, or one whose instance lives, have a claim for nothing', async () => {
  const { counted, instances } = await bench([0]);
  const take = { template: tiny, clientKey: SUBJECT, ttlMs: tiny.ttl.defaultMs, idempotencyKey: undefined };
  await store.claimStore.claim({ ...take, owner: 'one' });
  await store.claimStore.claim({ ...take, owner: 'one', replacing: instances[0]?.id ?? '' });
  const [first] = instances;
  if (first === undefined) throw new Error('no idle instance');
  await store.cleanupStore.release(first, 'container_lost', { from: ['assigned'] });
  await store.claimStore.claim({ ...take, owner: 'two', replacing: first.id });
  expect(await counted()).toEqual([3, 3]);
});

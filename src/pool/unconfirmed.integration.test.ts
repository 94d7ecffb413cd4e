import { afterEach, beforeEach, expect, it } from 'vitest';
import { startCuttableReplica, type CuttableReplica } from '../../test/support/cuttable-replica.ts';
import { eventually } from '../../test/support/eventually.ts';
import { LogBook, TestNats } from '../../test/support/queue.ts';
import { fillPool, silent, startStore, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { ValkeyFleet } from '../../test/support/valkey-fleet.ts';
import { Catalogue } from '../domain/template.ts';
import { NO_TRACER } from '../domain/tracer.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { HttpProbe } from '../runtime/readiness/http-probe.ts';
import { SimulatedRuntime } from '../runtime/simulated/simulated-runtime.ts';
import { keys } from '../store/keys.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { acquire, type AcquireDeps } from './acquire.ts';
import { Admission } from './admission.ts';
import { DeliveryCheck } from './delivery-check.ts';
import { RunningContainers } from './running-containers.ts';
import { extend } from './extend.ts';
import { EXEMPT } from './gate.ts';
import { release } from './release.ts';

const tiny = template();
const SUBJECT = '203.0.113.7';
const REFUSED = { code: 'store_unavailable', status: 503, retryAfterMs: 2_000 };
const releasers = new Releasers();
let store: TestStore;
let replica: CuttableReplica;
let deps: AcquireDeps & { readonly admission: Admission };

beforeEach(async () => {
  const nats = await TestNats.start();
  releasers.push('NATS', () => nats[Symbol.asyncDispose]());
  store = await startStore({ limits: { hourly: 5, daily: 5 } });
  releasers.push('store', () => store[Symbol.asyncDispose]());
  const fleet = await ValkeyFleet.create();
  releasers.push('fleet', () => fleet[Symbol.asyncDispose]());
  replica = await startCuttableReplica(fleet, store.address);
  releasers.push('replica', () => replica[Symbol.asyncDispose]());
  const runtime = new SimulatedRuntime();
  releasers.push('runtime', () => runtime.close());
  await store.registry.announce('simulated');
  for (const { id, container, port } of await fillPool(store, tiny))
    await runtime.start(
      { name: container, instanceId: id, template: tiny, hostPort: port ?? 0, env: {} },
      new AbortController().signal,
    );
  deps = {
    catalogue: new Catalogue([tiny]),
    tracer: NO_TRACER,
    claimStore: store.claimStore,
    admission: new Admission({ held: { perClient: 0, perNetwork: 0 } }),
    gate: {
      judge: () => Promise.resolve(EXEMPT),
      demand: () => Promise.reject(new Error('nobody has to prove work')),
      noteTaken: () => undefined,
    },
    shares: { noteTaken: () => undefined, noteRefused: () => undefined, noteEnded: () => undefined },
    cleanupStore: store.cleanupStore,
    queue: (await nats.publisher()).queue,
    observer: new Metrics({ templates: ['tiny'], version: 'test' }),
    log: new LogBook(),
    deliveryCheck: new DeliveryCheck(new HttpProbe(), 'node0'),
    address: { baseDomain: 'localhost', scheme: 'http', port: undefined },
    runningContainers: new RunningContainers(runtime),
    registry: store.registry,
    node: { name: 'node0' },
    requestRefill: () => undefined,
  };
});
afterEach(() => releasers.releaseAll(silent));

const click = () => acquire(deps, { template: undefined, clientKey: SUBJECT, owner: 'visitor', idempotencyKey: 'k' });
const records = async () =>
  (await store.inventory.list()).map(({ state, reason }) => `${state} ${reason ?? ''}`.trim()).sort();

it('ends what it took when no replica has it, and does not count it', async () => {
  replica.wire.cut();
  await expect(click()).rejects.toMatchObject(REFUSED);
  expect(await records()).toEqual(['ready', 'ready', 'releasing unconfirmed']);
  expect(await store.valkey.get(keys.hourlyRate(SUBJECT))).toBe('0');
  await expect(click()).rejects.toMatchObject(REFUSED);
  expect(await records()).toEqual(['ready', 'ready', 'releasing unconfirmed']);
  replica.wire.join();
  const got = await eventually(click);
  expect(got.again).toBe(false);
  expect(await replica.client.hget(keys.instances, got.id)).toContain('"assigned"');
});

it('leaves a visitor what they had before, and tells them nothing that may be lost', async () => {
  const had = await click();
  replica.wire.cut();
  await expect(click()).rejects.toMatchObject(REFUSED);
  expect(await records()).toEqual(['assigned', 'ready', 'ready']);
  await expect(extend(deps, had.id, 5)).rejects.toMatchObject(REFUSED);
  await expect(release(deps, had.id)).rejects.toMatchObject(REFUSED);
  // The second time there is nothing left to change, and it may be lost as before.
  await expect(release(deps, had.id)).rejects.toMatchObject(REFUSED);
  replica.wire.join();
  await eventually(() => release(deps, had.id));
  expect(await replica.client.hget(keys.instances, had.id)).not.toContain('"assigned"');
});

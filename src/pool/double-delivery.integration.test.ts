import { connect, type Socket } from 'node:net';
import { once, setMaxListeners } from 'node:events';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CleanupTask, ProvisionTask } from '../domain/task.ts';
import { steadyClock, systemClock } from '../domain/clock.ts';
import { Catalogue } from '../domain/template.ts';
import { NO_TRACER } from '../domain/tracer.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { SimulatedHost } from '../runtime/simulated/simulated-host.ts';
import { SimulatedRuntime } from '../runtime/simulated/simulated-runtime.ts';
import { StartTurns } from './start-turns.ts';
import { ContainerEnds } from './container-ends.ts';
import { HttpProbe } from '../runtime/readiness/http-probe.ts';
import { openStore, type Store } from '../store/store.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { eventually } from '../../test/support/eventually.ts';
import { HeldWire, type Direction } from '../../test/support/held-wire.ts';
import { leftAt } from '../../test/support/left-at.ts';
import { claimPorts, type ClaimedPorts } from '../../test/support/port-ranges.ts';
import { startProxyWorld, startUpstream, type ProxyWorld } from '../../test/support/proxy.ts';
import { TestNats } from '../../test/support/queue.ts';
import { silent } from '../../test/support/store.ts';
import {
  expectIndexesToAgree,
  expectPortsToBalance,
  readStoreState,
  type StoreState,
} from '../../test/support/store-state.ts';
import { template as tiny } from '../../test/support/templates.ts';
import { cleanUp } from './cleanup.ts';
import { FailuresHere } from './failures-here.ts';
import { FrameFit } from './frame-fit.ts';
import { Proxies } from './proxies.ts';
import type { TaskContext } from './interfaces/task-handlers.ts';
import type { TaskQueue } from './interfaces/task-queue.ts';
import { provision, type ProvisionDeps } from './provision.ts';

/** Longer than any attempt goes on after it was superseded: until then its port is nobody else’s. */
const COOL_DOWN_MS = 10_000;
/** Room for every case at once, and for the ports that cool down. */
const PORTS = 300;
/** One for each case, so that none can open the breaker of another. */
const templates = Array.from({ length: 150 }, (_, at) =>
  tiny({ name: `case-${at}`, frame: 'auto', pool: { target: 1, max: 1, replenishThreshold: 0 } }),
);
const NAMES = templates.map(({ name }) => name);
/** Over soon, because the next worker has to wait for it. */
const LEASE_MS = 600;
/** Of one that counts as alive however busy the machine is. */
const LONG_LEASE_MS = 60_000;
/** Requests to the store in one provision or cleanup, and some more: beyond the last one nothing is held. */
const PROVISION_REQUESTS = 11;
const CLEANUP_REQUESTS = 6;
const FAILURES = 'try_it_now_provision_failures_total';
const never: TaskContext = {
  attempt: 1,
  signal: new AbortController().signal,
  stopping: new AbortController().signal,
  yieldWorker: () => undefined,
};
// Many tasks at once listen to it.
setMaxListeners(0, never.signal);

const releasers = new Releasers();
const host = new SimulatedHost();
let world: ProxyWorld;
let portRange: ClaimedPorts;
let queue: TaskQueue;
let leadsElsewhere: string;
let cases = 0;

/** What one process has of its own: a connection to the store, and a client of the engine. */
interface Process {
  readonly store: Store;
  readonly deps: ProvisionDeps;
  readonly metrics: Metrics;
}

async function startProcess({ port = world.names.port, leaseMs = LEASE_MS, engine = host } = {}): Promise<Process> {
  const store = await openStore({
    valkey: { host: '127.0.0.1', port, password: undefined },
    node: { name: 'node0', address: '127.0.0.1' },
    limits: { hourly: 0, daily: 0 },
    portRange,
    portCoolDownMs: COOL_DOWN_MS,
    leaseMs,
    log: silent,
  });
  releasers.push('store', store.close);
  const { claimStore, cleanupStore, provisioningStore, failureLog, promotions } = store;
  const metrics = new Metrics({ templates: NAMES, version: 'test' });
  const probe = new HttpProbe();
  return {
    store,
    metrics,
    deps: {
      claimStore,
      cleanupStore,
      provisioningStore,
      failureLog,
      clock: systemClock,
      tracer: NO_TRACER,
      containerEnds: new ContainerEnds(),
      consumption: undefined,
      controls: store.controls,
      startTurns: new StartTurns({ slots: 20, templates: () => 1 }),
      failuresHere: new FailuresHere({ catalogue: new Catalogue(templates), steadyClock }),
      promotions,
      queue,
      runtime: new SimulatedRuntime(engine),
      databases: undefined,
      restorer: undefined,
      probe,
      // Whoever asks for the landing page is led to another site.
      frameFit: new FrameFit({ probe, proxies: new Proxies(probe, [leadsElsewhere]), log: silent }),
      log: silent,
      catalogue: new Catalogue(templates),
      observer: metrics,
      node: { name: 'node0', address: '127.0.0.1' },
      address: { baseDomain: world.baseDomain, scheme: 'http', port: world.proxyPort },
      proxies: new Proxies(probe, [`http://127.0.0.1:${world.proxyPort}`]),
      requestRefill: () => undefined,
    },
  };
}

let steady: Process;
beforeAll(async () => {
  portRange = await claimPorts(PORTS);
  releasers.push('ports', () => portRange[Symbol.asyncDispose]());
  world = await startProxyWorld(releasers);
  const elsewhere = await startUpstream(releasers, (_, response) => {
    response.writeHead(302, { location: 'https://sign-in.example/start?from=demo' }).end();
  });
  leadsElsewhere = `http://127.0.0.1:${elsewhere.port}`;
  const nats = await TestNats.start();
  releasers.push('nats', () => nats[Symbol.asyncDispose]());
  ({ queue } = await nats.publisher());
  releasers.push('containers', async () => {
    const runtime = new SimulatedRuntime(host);
    await Promise.all((await runtime.list()).map(({ name }) => runtime.remove(name)));
  });
  steady = await startProcess();
  await steady.store.inventory.reconcilePorts();
});
afterAll(() => releasers.releaseAll(silent));

async function newTask(): Promise<ProvisionTask> {
  const template = templates[cases];
  if (template === undefined) throw new Error('more cases than templates');
  cases += 1;
  const [id] = await steady.store.provisioningStore.reserveTickets(template);
  if (id === undefined) throw new Error('no ticket for the first instance of a template');
  return { v: 1, kind: 'provision', id, template: template.name };
}

const storeState = (): Promise<StoreState> => readStoreState(world.names.valkey, ...NAMES);

/**
 * All that one instance is: its record, its place in the indexes, its name, and a connection into its one container
 * that is not cut.
 */
interface Sight {
  readonly seen: object;
  readonly connection: Socket;
}

async function lookAt(id: string, engine = host): Promise<Sight> {
  const { records, ready, tickets: out, held, hostnames, leaving, assigned } = await storeState();
  const record = records.get(id);
  if (record?.port == null) throw new Error(`${id} has no port`);
  const containers = (await new SimulatedRuntime(engine).list()).filter(({ instanceId }) => instanceId === id);
  expect(containers, `containers of ${id}`).toEqual([{ name: record.container, instanceId: id, running: true }]);
  const answer = await request(`http://127.0.0.1:${record.port}/`, { headers: { accept: 'application/json' } });
  expect(await answer.body.json()).toMatchObject({ container: record.container });
  const connection = connect(record.port, '127.0.0.1');
  connection.on('error', () => undefined);
  releasers.push('connection', () => connection.destroy());
  await once(connection, 'connect');
  return {
    connection,
    seen: {
      record,
      held: held.get(record.port),
      name: hostnames.get(record.label),
      at: [ready.get(id), out.get(id), assigned.get(id), leaving.get(id)],
    },
  };
}

async function expectUnchanged(id: string, before: Sight): Promise<void> {
  const after = await lookAt(id);
  expect(after.seen).toEqual(before.seen);
  expect(before.connection.closed, `the container of ${id} is the same one`).toBe(false);
}

async function expectReady(id: string, engine = host): Promise<Sight> {
  const sight = await lookAt(id, engine);
  expect(sight.seen).toMatchObject({
    record: { id, state: 'ready', bare: { why: 'leads_elsewhere', what: 'https://sign-in.example' } },
    at: [expect.any(Number), undefined, undefined, undefined],
  });
  return sight;
}

/**
 * Ready and all that belongs to it, or gone with all that belonged to it: which, is up to what the
 * first worker could still do.
 */
async function expectSound(id: string): Promise<void> {
  const { records, tickets } = await storeState();
  if (records.has(id)) {
    await expectReady(id);
    return;
  }
  expect(tickets.has(id), 'its room is free').toBe(false);
  expect((await new SimulatedRuntime(host).list()).filter(({ instanceId }) => instanceId === id)).toEqual([]);
}

async function expectAbsent(id: string, before: StoreState): Promise<void> {
  const { records, held, leaving, ready, hostnames } = await storeState();
  const { port, label } = before.records.get(id) ?? {};
  expect([records.has(id), leaving.has(id), ready.has(id), hostnames.has(label ?? '')]).toEqual([
    false,
    false,
    false,
    false,
  ]);
  // Free, or another case's by now.
  expect(held.get(port ?? 0)).not.toBe(id);
  expect((await new SimulatedRuntime(host).list()).filter(({ instanceId }) => instanceId === id)).toEqual([]);
}

type Held = Process & { readonly wire: HeldWire };

/** A process whose wire to the store stands still at the `nth` exchange from now on. */
async function startHeld(direction: Direction, nth: number, engine: SimulatedHost): Promise<Held> {
  const wire = await HeldWire.to({ host: '127.0.0.1', port: world.names.port });
  releasers.push('wire', () => wire[Symbol.asyncDispose]());
  const process = await startProcess({ port: wire.port, engine });
  wire.holdAt(direction, nth);
  return { ...process, wire };
}

/** One process for each exchange up to `last` and each side of it, all at work at the same time. */
async function atEachPoint(last: number, work: (held: Held) => Promise<void>, engine = host): Promise<void> {
  const held: Held[] = [];
  for (const direction of ['request', 'reply'] as const)
    for (let nth = 1; nth <= last; nth += 1) held.push(await startHeld(direction, nth, engine));
  await Promise.all(held.map(work));
}

describe('a provision task delivered twice', () => {
  it('makes one instance, whether at once or one after the other', async () => {
    const [one, other] = [
      await startProcess({ leaseMs: LONG_LEASE_MS }),
      await startProcess({ leaseMs: LONG_LEASE_MS }),
    ];
    const task = await newTask();
    await Promise.all([provision(one.deps, task, never), provision(other.deps, task, never)]);
    const sight = await expectReady(task.id);
    await provision(other.deps, task, never);
    await expectUnchanged(task.id, sight);
  });

  it('leaves an instance alone that was handed out since', async () => {
    const task = await newTask();
    await provision(steady.deps, task, never);
    const template = steady.deps.catalogue.get(task.template) ?? templates[0];
    if (template === undefined) throw new Error('there are templates');
    expect(
      await steady.store.claimStore.claim({
        template,
        clientKey: 's',
        owner: 'ann',
        idempotencyKey: undefined,
        ttlMs: 60_000,
      }),
    ).toMatchObject({ kind: 'taken', id: task.id, isBare: true });
    const sight = await lookAt(task.id);
    await provision(steady.deps, task, never);
    await expectUnchanged(task.id, sight);
  });

  it(
    "leaves the successor's instance alone when the first worker stood still at " +
      'any point and comes back after its end',
    async () => {
      await atEachPoint(PROVISION_REQUESTS, async ({ deps, wire }) => {
        const task = await newTask();
        const first = provision(deps, task, never).catch((error: unknown) => error);
        await Promise.race([wire.held, first]);
        await provision(steady.deps, task, never);
        const sight = await expectReady(task.id);
        wire.letGo();
        await first;
        await expectUnchanged(task.id, sight);
      });
    },
  );

  it('leaves the successor alone when the first worker comes back while that one is still at it', async () => {
    // Slow to come up, so that the successor is at work for a while. Its lease is the longer one: it
    // is alive all the time.
    const slow = new SimulatedHost({ startUpMs: 500 });
    const next = await startProcess({ engine: slow, leaseMs: LONG_LEASE_MS });
    await atEachPoint(
      PROVISION_REQUESTS,
      async ({ deps, wire }) => {
        const task = await newTask();
        const first = provision(deps, task, never).catch((error: unknown) => error);
        await Promise.race([wire.held, first]);
        const before = (await storeState()).records.get(task.id)?.attempt;
        const second = provision(next.deps, task, never);
        const over = new AbortController();
        const ended = second.finally(() => over.abort());
        // It has begun, or has found everything done.
        await eventually(async () => {
          const record = (await storeState()).records.get(task.id);
          if (!over.signal.aborted && (record?.attempt === undefined || record.attempt === before))
            throw new Error('the first one still counts as alive');
        });
        const successor = (await storeState()).records.get(task.id)?.attempt;
        wire.letGo();
        await Promise.all([first, ended]);
        expect((await expectReady(task.id, slow)).seen).toMatchObject({ record: { attempt: successor } });
      },
      slow,
    );
    const runtime = new SimulatedRuntime(slow);
    await Promise.all(
      (await runtime.list()).map(async ({ name, instanceId }) => {
        await runtime.remove(name);
        const record = (await storeState()).records.get(instanceId ?? '');
        if (record !== undefined)
          await steady.store.cleanupStore.release(record, 'container_lost', { from: ['ready'] });
        await cleanUp(steady.deps, { v: 1, kind: 'cleanup', id: instanceId ?? '', node: 'node0' });
      }),
    );
  });

  it('ends in one sound instance or none when what the first worker waited for is carried out late', async () => {
    await atEachPoint(PROVISION_REQUESTS, async ({ deps, wire }) => {
      const task = await newTask();
      await provision(deps, task, never).catch(() => undefined);
      wire.letGo();
      // The queue's next try. What the first one may have left behind late is seen to before it,
      // or not: both are right.
      await eventually(() => provision(steady.deps, task, never));
      await eventually(() => expectSound(task.id));
    });
  });
});

it('leaves no half of an instance when the store only answered too late', async () => {
  await atEachPoint(PROVISION_REQUESTS, async ({ deps, metrics, wire }) => {
    const task = await newTask();
    const over = new AbortController();
    const first = provision(deps, task, never)
      .catch(() => undefined)
      .finally(() => over.abort());
    // The store goes on just when the worker has given its answer up and begins to undo.
    await eventually(async () => {
      const failures = await metrics.registry.getSingleMetric(FAILURES)?.get();
      if (!over.signal.aborted && failures?.values.length === 0) throw new Error('it still waits for the store');
    });
    wire.letGo();
    await first;
    await eventually(() => provision(steady.deps, task, never));
    await eventually(() => expectSound(task.id));
  });
});

describe('a cleanup task delivered twice', () => {
  async function leaving(): Promise<{ readonly task: CleanupTask; readonly before: StoreState }> {
    const task = await newTask();
    await provision(steady.deps, task, never);
    const { id } = task;
    const before = await storeState();
    const record = before.records.get(id);
    if (record === undefined) throw new Error('it has just become ready');
    await steady.store.cleanupStore.release(record, 'retired', { from: ['ready'] });
    return { task: { v: 1, kind: 'cleanup', id, node: 'node0' }, before };
  }

  it('takes down once, whether at once or one after the other', async () => {
    const other = await startProcess();
    const { task, before } = await leaving();
    await Promise.all([cleanUp(steady.deps, task), cleanUp(other.deps, task)]);
    await expectAbsent(task.id, before);
    const after = await storeState();
    await cleanUp(other.deps, task);
    expect((await storeState()).records).toEqual(after.records);
  });

  it('leaves alone what has become of the port when a worker stood still at any point', async () => {
    await atEachPoint(CLEANUP_REQUESTS, async ({ deps, wire }) => {
      const { task, before } = await leaving();
      const first = cleanUp(deps, task).catch((error: unknown) => error);
      await Promise.race([wire.held, first]);
      await cleanUp(steady.deps, task);
      await expectAbsent(task.id, before);
      wire.letGo();
      await first;
      await expectAbsent(task.id, before);
    });
  });

  it('leaves alone an instance that is there', async () => {
    const task = await newTask();
    await provision(steady.deps, task, never);
    const sight = await expectReady(task.id);
    await cleanUp(steady.deps, { v: 1, kind: 'cleanup', id: task.id, node: 'node0' });
    await expectUnchanged(task.id, sight);
  });
});

it('leaves nothing at the signal of the workers after all that', () => {
  expect([leftAt(never.signal), leftAt(never.stopping)]).toEqual([0, 0]);
});

it('leaves the recorded state consistent after all that', async () => {
  const all = await storeState();
  expectPortsToBalance(all, portRange);
  expectIndexesToAgree(all);
  const containers = (await new SimulatedRuntime(host).list()).map(({ name }) => name).sort();
  expect(containers).toEqual([...all.records.values()].map(({ container }) => container).sort());
});

import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Instance } from '../domain/instance.ts';
import { freePort } from '../launcher/tcp-ports.ts';
import { Loop } from '../lifecycle/loop.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { SimulatedRuntime } from '../runtime/simulated/simulated-runtime.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { eventually } from '../../test/support/eventually.ts';
import { LogBook, TestNats } from '../../test/support/queue.ts';
import { silent, startStore, fillPool, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { ContainerEnds } from './container-ends.ts';
import { followContainers } from './container-events.ts';
import type { ContainerSummary } from './interfaces/container-runtime.ts';

const tiny = template();
let releasers: Releasers;
let store: TestStore;
let log: LogBook;
const runtime = new SimulatedRuntime();

beforeEach(async () => {
  releasers = new Releasers();
  log = new LogBook();
  store = await startStore();
  releasers.push('store', () => store[Symbol.asyncDispose]());
  releasers.push('runtime', () => runtime.close());
});
afterEach(() => releasers.releaseAll(silent));

async function follow(
  engine: { watch: typeof runtime.watch } = runtime,
): Promise<{ readonly looks: () => number; readonly demands: () => number }> {
  const nats = await TestNats.start();
  releasers.push('nats', () => nats[Symbol.asyncDispose]());
  const counted = { looks: 0, demands: 0 };
  const deps = {
    runtime: {
      watch: (gone: Parameters<typeof runtime.watch>[0], signal: AbortSignal) => engine.watch(gone, signal),
      list: () => runtime.list(),
    },
    node: { name: 'node0' },
    claimStore: store.claimStore,
    cleanupStore: store.cleanupStore,
    queue: (await nats.publisher()).queue,
    observer: new Metrics({ templates: [tiny.name], version: 'test' }),
    log,
    requestRefill: () => {
      counted.demands += 1;
    },
    containerEnds: new ContainerEnds(),
    requestReconcile: () => {
      counted.looks += 1;
    },
  };
  const loop = new Loop({ name: 'container events', intervalMs: 10, log: silent }, (signal) =>
    followContainers(deps, signal),
  );
  releasers.push('loop', () => loop.stop());
  loop.start();
  return { looks: () => counted.looks, demands: () => counted.demands };
}

async function started(instances: readonly Instance[]): Promise<void> {
  for (const { container, id, port } of instances)
    await runtime.start(
      { name: container, instanceId: id, template: tiny, hostPort: port ?? 0, env: {} },
      new AbortController().signal,
    );
}

async function stateOf({ id }: Instance): Promise<string | undefined> {
  return (await store.claimStore.find(id))?.instance.state;
}

describe('the events of the engine', () => {
  it("take a ready instance and a visitor's out, whatever else changed about it, and leave the others", async () => {
    const [one, two, three] = await fillPool(store, tiny);
    if (one === undefined || two === undefined || three === undefined) throw new Error('the pool was not filled');
    await started([one, two, three]);
    const taken = await store.claimStore.claim({
      template: tiny,
      clientKey: '203.0.113.7',
      owner: 'a',
      idempotencyKey: undefined,
      ttlMs: 60_000,
    });
    const his = [one, two, three].find(({ id }) => 'id' in taken && taken.id === id) ?? one;
    const [ready, other] = [one, two, three].filter(({ id }) => id !== his.id);
    const { demands } = await follow();
    await runtime.remove(his.container);
    await runtime.remove(ready?.container ?? '');
    await eventually(async () =>
      expect([await stateOf(his), await stateOf(ready ?? his)]).toEqual(['releasing', 'releasing']),
    );
    await eventually(() =>
      expect(
        log
          .with('ended by itself')
          .map(({ fields }) => fields['instance'])
          .sort(),
      ).toEqual([his.id, ready?.id ?? ''].sort()),
    );
    expect(await stateOf(other ?? his)).toBe('ready');
    expect(demands()).toBe(1);
  });

  it('of an end before the last start under the same name take nothing out, and request a reconciliation', async () => {
    const [one] = await fillPool(store, tiny);
    if (one === undefined) throw new Error('the pool was not filled');
    await started([one]);
    let tell: ((container: ContainerSummary) => void) | undefined;
    const { looks } = await follow({
      watch: async (gone, signal) => {
        tell = gone;
        await once(signal, 'abort');
      },
    });
    await eventually(() => expect(looks()).toBe(1));
    const [listed] = await runtime.list();
    if (listed === undefined) throw new Error('nothing runs');
    tell?.({ ...listed, running: false });
    await eventually(() => expect(looks()).toBe(2));
    expect(await stateOf(one)).toBe('ready');
  });

  it("of a superseded attempt's container are nobody's loss", async () => {
    const [one] = await fillPool(store, tiny);
    if (one === undefined) throw new Error('the pool was not filled');
    await runtime.start(
      { name: 'demo-of-an-earlier-attempt', instanceId: one.id, template: tiny, hostPort: await freePort(), env: {} },
      new AbortController().signal,
    );
    await started([one]);
    const { looks } = await follow();
    await eventually(() => expect(looks()).toBe(1));
    await runtime.remove('demo-of-an-earlier-attempt');
    await runtime.remove(one.container);
    await eventually(async () => expect(await stateOf(one)).toBe('releasing'));
    await eventually(() => expect(log.with('ended by itself')).toHaveLength(1));
  });

  it('request a reconciliation once they are heard, and again each time they were not heard for a while', async () => {
    let streams = 0;
    let cut: () => void = () => undefined;
    const { looks } = await follow({
      watch: (gone, signal) => {
        streams += 1;
        return Promise.race([
          runtime.watch(gone, signal),
          new Promise<never>((_, reject) => {
            cut = () => reject(new Error('the engine is gone'));
          }),
        ]);
      },
    });
    await eventually(() => expect([streams, looks()]).toEqual([1, 1]));
    cut();
    await eventually(() => expect([streams, looks()]).toEqual([2, 2]));
  });

  it('have the recorded and the actual state compared when the store cannot say whose container it was', async () => {
    const [one] = await fillPool(store, tiny);
    if (one === undefined) throw new Error('the pool was not filled');
    await started([one]);
    const { looks } = await follow();
    await eventually(() => expect(looks()).toBe(1));
    await store.close();
    await runtime.remove(one.container);
    await eventually(() => expect(looks()).toBe(2));
  });
});

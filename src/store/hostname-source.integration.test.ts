import { describe, expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { discover } from '../../test/support/proxy.ts';
import { silent, startStore, fillPool, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import type { HostnameEvent } from '../proxy/discovery/interfaces/hostname-source.ts';
import { ValkeyHostnameSource } from './hostname-source.ts';
import { keys } from './keys.ts';

const entry = (port: number, node = 'node0'): string => JSON.stringify({ v: 1, id: 'a', node, port });

interface Followed {
  readonly events: HostnameEvent[];
  readonly state: () => Record<string, number>;
  readonly failure: () => unknown;
}

/** Follows the names in the background; `state` is what a faithful listener would believe. */
function follow(store: TestStore, releasers: Releasers): Followed {
  const source = new ValkeyHostnameSource({ ...store.address, password: undefined, log: silent });
  const abort = new AbortController();
  const events: HostnameEvent[] = [];
  const hostnames = new Map<string, number>();
  let failure: unknown;
  const running = (async () => {
    for await (const event of source.follow(abort.signal)) {
      events.push(event);
      if (event.kind === 'snapshot') {
        hostnames.clear();
        for (const [label, { port }] of event.hostnames) hostnames.set(label, port);
      } else if (event.kind === 'changes') {
        for (const change of event.changes) {
          if (change.entry === undefined) hostnames.delete(change.label);
          else hostnames.set(change.label, change.entry.port);
        }
      }
    }
  })().catch((error: unknown) => {
    failure = error;
  });
  releasers.push('follower', async () => {
    abort.abort();
    await running;
    source.close();
  });
  return { events, state: () => Object.fromEntries(hostnames), failure: () => failure };
}

interface World extends AsyncDisposable {
  readonly store: TestStore;
  readonly releasers: Releasers;
  readonly follow: () => Followed;
}

/** A Valkey of the case's own, and whoever follows it. */
async function open(): Promise<World> {
  const releasers = new Releasers();
  const store = await startStore();
  releasers.push('store', () => store[Symbol.asyncDispose]());
  return {
    store,
    releasers,
    follow: () => follow(store, releasers),
    [Symbol.asyncDispose]: () => releasers.releaseAll(silent),
  };
}

const snapshots = (events: readonly HostnameEvent[]): number => events.filter(({ kind }) => kind === 'snapshot').length;

describe.concurrent('host names out of Valkey', () => {
  it('come and go as the store publishes and releases instances, without a second snapshot', async () => {
    await using world = await open();
    const { store, follow } = world;
    const [before] = await fillPool(store, template({ pool: { target: 1, max: 20, replenishThreshold: 0 } }));
    const { state, events } = follow();
    await eventually(() => expect(state()).toEqual({ [before?.label ?? '']: before?.port }));

    const after = await fillPool(store, template({ pool: { target: 3, max: 20, replenishThreshold: 0 } }));
    await eventually(() => expect(Object.keys(state())).toHaveLength(3));
    expect(state()).toMatchObject(Object.fromEntries(after.map(({ label, port }) => [label, port])));

    for (const instance of after) await store.cleanupStore.release(instance, 'released', { from: ['ready'] });
    await eventually(() => expect(state()).toEqual({ [before?.label ?? '']: before?.port }));
    // Long enough to have compared the names.
    await eventually(() => expect(events.filter(({ kind }) => kind === 'nodes').length).toBeGreaterThanOrEqual(2));
    expect(snapshots(events)).toBe(1);
    expect(events).toContainEqual({ kind: 'nodes', nodes: new Map([['node0', '127.0.0.1']]), lost: new Set() });
  });

  it('are read again when Valkey was emptied behind our back', async () => {
    await using world = await open();
    const { store, follow } = world;
    await fillPool(store, template());
    const { state } = follow();
    await eventually(() => expect(Object.keys(state())).toHaveLength(3));

    await store.valkey.flushall();
    await eventually(() => expect(state()).toEqual({}));
    await store.valkey.xadd(keys.hostnameChanges, '*', 'label', 'x', 'entry', entry(5));
    await store.valkey.hset(keys.hostnames, 'x', entry(5));
    await eventually(() => expect(state()).toEqual({ x: 5 }));
  });

  it('are read again when the stream begins again with lower ids', async () => {
    await using world = await open();
    const { store, follow } = world;
    await store.valkey.xadd(keys.hostnameChanges, '9999999999999-0', 'label', 'old', 'entry', entry(1));
    await store.valkey.hset(keys.hostnames, 'old', entry(1));
    const { state } = follow();
    await eventually(() => expect(state()).toEqual({ old: 1 }));

    await store.valkey
      .multi()
      .del(keys.hostnameChanges, keys.hostnames)
      .hset(keys.hostnames, 'new', entry(2))
      .xadd(keys.hostnameChanges, '5-0', 'label', 'new', 'entry', entry(2))
      .exec();
    await eventually(() => expect(state()).toEqual({ new: 2 }));
  });

  it('are read again when the stream was trimmed before it was read', async () => {
    await using world = await open();
    const { store, follow } = world;
    await store.valkey.hset(keys.hostnames, { moved: entry(1), other: entry(2) });
    const { state, events } = follow();
    await eventually(() => expect(state()).toEqual({ moved: 1, other: 2 }));

    // As many names as before, and the last entry is read: only the count tells that one is missing.
    await store.valkey
      .multi()
      .hset(keys.hostnames, 'moved', entry(7))
      .xadd(keys.hostnameChanges, '*', 'label', 'moved', 'entry', entry(7))
      .hset(keys.hostnames, 'other', entry(8))
      .xadd(keys.hostnameChanges, 'MAXLEN', '=', 1, '*', 'label', 'other', 'entry', entry(8))
      .exec();
    await eventually(() => expect(state()).toEqual({ moved: 7, other: 8 }));
    expect(snapshots(events)).toBe(2);
  });

  it('are read again when somebody removed a name without telling the stream', async () => {
    await using world = await open();
    const { store, follow } = world;
    await fillPool(store, template({ pool: { target: 1, max: 20, replenishThreshold: 0 } }));
    const { state } = follow();
    await eventually(() => expect(Object.keys(state())).toHaveLength(1));
    await store.valkey.del(keys.hostnames);
    await eventually(() => expect(state()).toEqual({}));
  });

  it('come in order and complete through a flood larger than one reading', async () => {
    await using world = await open();
    const { store, follow } = world;
    const { state, events } = follow();
    await eventually(() => expect(snapshots(events)).toBe(1));
    const flood = store.valkey.multi();
    for (let index = 0; index < 5_000; index += 1) {
      const label = `l${index % 1_500}`;
      if (index % 3 === 2)
        flood.hdel(keys.hostnames, label).xadd(keys.hostnameChanges, '*', 'label', label, 'entry', '');
      else
        flood
          .hset(keys.hostnames, label, entry(index + 1))
          .xadd(keys.hostnameChanges, '*', 'label', label, 'entry', entry(index + 1));
    }
    await flood.exec();
    const truth = Object.fromEntries(
      Object.entries(await store.valkey.hgetall(keys.hostnames)).map(([label, text]) => [
        label,
        (JSON.parse(text) as { port: number }).port,
      ]),
    );
    expect(Object.keys(truth).length).toBeGreaterThan(500);
    await eventually(() => expect(state()).toEqual(truth));
    expect(snapshots(events)).toBe(1);
  });

  it('leave out entries that cannot be read, without reading everything again for ever', async () => {
    await using world = await open();
    const { store, follow } = world;
    await store.valkey.hset(keys.hostnames, { good: entry(1), newer: '{"v":2}', broken: '{' });
    const { state, events } = follow();
    await eventually(() => expect(state()).toEqual({ good: 1 }));
    await store.valkey
      .multi()
      .hset(keys.hostnames, 'good', '[]')
      .xadd(keys.hostnameChanges, '*', 'label', 'good', 'entry', '[]')
      .exec();
    await eventually(() => expect(state()).toEqual({}));
    await eventually(() => expect(events.filter(({ kind }) => kind === 'nodes').length).toBeGreaterThanOrEqual(2));
    expect(snapshots(events)).toBe(1);
  });

  it('end with an error when Valkey is lost, and with none when told to stop', async () => {
    await using world = await open();
    const { store, releasers, follow } = world;
    const { events, failure } = follow();
    await eventually(() => expect(snapshots(events)).toBe(1));
    await store.valkey.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await eventually(() => expect(failure()).toBeInstanceOf(Error));

    const second = follow();
    await eventually(() => expect(snapshots(second.events)).toBe(1));
    await releasers.releaseAll(silent);
    expect(second.failure()).toBeUndefined();
  });
});

it('discovery is in step with Valkey from its first answer on', async () => {
  await using world = await open();
  const { store, releasers } = world;
  const discovery = await discover(releasers, store.address.port);
  expect(discovery.stats()).toMatchObject({ inStep: true, resyncs: 1 });
});

import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newInstanceId } from '../domain/ids.ts';
import type { Instance } from '../domain/instance.ts';
import { startStore, fillPool, warm, type TestStore } from '../../test/support/store.ts';
import { click, expectPortsToBalance, tiny } from '../../test/support/store-cases.ts';
import { keys } from './keys.ts';

let store: TestStore;
beforeAll(async () => {
  store = await startStore();
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
});
beforeEach(() => store.clear());

it("knows what ran a node's instances when it was last announced", async () => {
  await using fresh = await startStore();
  expect(await fresh.registry.engine()).toBeUndefined();
  await fresh.registry.announce('podman');
  expect(await fresh.registry.engine()).toBe('podman');
});

it('lists the visits on one node, and nothing that is not handed out there', async () => {
  await fillPool(store, tiny);
  const [mine, elsewhere] = [await store.claimStore.claim(click()), await store.claimStore.claim(click())];
  if (mine.kind !== 'taken' || elsewhere.kind !== 'taken') throw new Error('the pool was not filled');
  const record = (await store.valkey.hget(keys.instances, elsewhere.id)) ?? '';
  await store.valkey.hset(keys.instances, elsewhere.id, record.replace('"node0"', '"node1"'));
  const port = String((JSON.parse(record) as Instance).port);
  await store.valkey.hset(keys.heldPorts('node1'), port, elsewhere.id);
  // A port may be held for what is not there, or is another node's.
  await store.valkey.hset(keys.heldPorts('node0'), '1', newInstanceId());
  expect((await store.inventory.visits('node0')).map(({ id }) => id)).toEqual([mine.id]);
  expect((await store.inventory.visits('node1')).map(({ id }) => id)).toEqual([elsewhere.id]);
  // Of a fleet that has far more visits than this node holds instances.
  await store.valkey.zadd(keys.assigned('tiny'), ...Array.from({ length: 200 }, (_, at) => [at, `far-${at}`]).flat());
  expect((await store.inventory.visits('node0')).map(({ id }) => id)).toEqual([mine.id]);
});

it('reads no record for the visits of a node that has none, and asks of no port that is in order', async () => {
  const ready = await fillPool(store, tiny);
  const cooling = (await store.valkey.spop(keys.availablePorts('node0'))) ?? '';
  await store.valkey.zadd(keys.coolingPorts('node0'), Date.now() + 60_000, cooling);
  await store.valkey.config('RESETSTAT');
  expect(await store.inventory.visits('node0')).toEqual([]);
  expect(await store.inventory.inconsistentPorts(ready)).toEqual([]);
  const stats = await store.valkey.info('commandstats');
  expect(stats).toContain('cmdstat_smembers:');
  for (const command of ['evalsha', 'hmget', 'hget']) expect(stats).not.toContain(`cmdstat_${command}:`);
});

it('tells of many nodes in a few commands, each as it is', async () => {
  const names = Array.from({ length: 120 }, (_, at) => `node-${String(at).padStart(3, '0')}`);
  for (const name of names) {
    await store.valkey.hset(keys.nodes, name, JSON.stringify({ v: 1, address: '10.0.0.1', engine: 'simulated' }));
    await store.valkey.sadd(keys.availablePorts(name), ...names.slice(0, Number(name.slice(-3)) + 1));
  }
  await store.registry.control('node-077', 'cordoned');
  await store.registry.place('node-100', ['a', 'b']);
  await store.valkey.config('RESETSTAT');
  const nodes = await store.registry.nodes();
  const stats = await store.valkey.info('commandstats');
  expect(Number(/^cmdstat_evalsha:calls=(\d+)/m.exec(stats)?.[1])).toBeLessThan(10);
  expect(nodes.map(({ name, freePorts }) => [name, freePorts])).toEqual(names.map((name, at) => [name, at + 1]));
  expect(nodes.filter(({ control }) => control.mode === 'cordoned').map(({ name }) => name)).toEqual(['node-077']);
  expect(nodes.filter(({ placed }) => placed > 0)).toMatchObject([{ name: 'node-100', placed: 2 }]);
  expect(await store.registry.node('node-100')).toEqual(nodes[100]);
});

it('finds every ticket that nobody works on, however many wait, and none that is new', async () => {
  expect((await store.provisioningStore.reserveTickets(tiny)).length).toBeGreaterThan(0);
  const ids = Array.from({ length: 450 }, () => newInstanceId());
  const soon = Date.now() + 5_000;
  await store.valkey.zadd(keys.warming('tiny'), ...ids.flatMap((id) => [soon, id]));
  expect((await store.inventory.idleTickets()).map(({ id }) => id).sort()).toEqual(ids.sort());
});

describe('settling', () => {
  it('frees ports and index entries that no record backs, and puts back what is missing', async () => {
    const [kept, lost] = await fillPool(store, tiny);
    if (kept === undefined || lost === undefined) throw new Error('the pool was not filled');
    await store.valkey.hdel(keys.instances, lost.id);
    await store.valkey.zrem(keys.ready('tiny'), kept.id);
    await store.valkey.hdel(keys.hostnames, kept.label);
    await store.valkey.srem(
      keys.availablePorts('node0'),
      ...(await store.valkey.srandmember(keys.availablePorts('node0'), 5)),
    );
    await store.valkey.sadd(keys.availablePorts('node0'), 9_999);

    expect(await store.inventory.reconcileIndexes(await store.inventory.list())).toBe(2);
    expect(await store.inventory.reconcileHostnames(await store.inventory.list())).toBe(2);
    expect(await store.inventory.reconcilePorts()).toBe(7);
    expect(await store.valkey.zscore(keys.ready('tiny'), kept.id)).not.toBeNull();
    expect(await store.valkey.hexists(keys.hostnames, lost.label)).toBe(0);
    expect(await store.valkey.hexists(keys.hostnames, kept.label)).toBe(1);
    await expectPortsToBalance(store);
    expect(await store.inventory.reconcileIndexes(await store.inventory.list())).toBe(0);
  });

  it('has a warming record without a ticket taken up by the reaper', async () => {
    const [id = '', queued = ''] = await store.provisioningStore.reserveTickets(tiny);
    await warm(store, tiny, id);
    await store.provisioningStore.cancelTickets('tiny', [id]);
    expect(await store.inventory.reconcileIndexes(await store.inventory.list())).toBe(1);
    expect(await store.inventory.expiredTickets()).toEqual([{ template: 'tiny', id }]);
    expect(await store.valkey.zscore(keys.warming('tiny'), queued)).not.toBeNull();
  });

  it('holds the port of a record again whose entry is lost, and gives it to nobody else', async () => {
    const [available, cooling, nowhere] = await fillPool(store, tiny);
    if (available === undefined || cooling === undefined || nowhere === undefined)
      throw new Error('the pool was not filled');
    const ports = [available, cooling, nowhere].map(({ port }) => String(port));
    await store.valkey.hdel(keys.heldPorts('node0'), ...ports);
    await store.valkey.sadd(keys.availablePorts('node0'), ports[0] ?? '');
    await store.valkey.zadd(keys.coolingPorts('node0'), 1, ports[1] ?? '');
    expect((await store.inventory.inconsistentPorts(await store.inventory.list())).map(({ why }) => why)).toEqual(
      expect.arrayContaining(['held for nobody, though a record names it']),
    );
    expect(await store.inventory.reconcilePorts()).toBe(3);
    await expectPortsToBalance(store);
    expect(await store.valkey.hmget(keys.heldPorts('node0'), ...ports)).toEqual([available.id, cooling.id, nowhere.id]);
  });

  it('lets a port rest whose entry was lost before its instance left', async () => {
    const [leaving] = await fillPool(store, tiny);
    if (leaving === undefined) throw new Error('the pool was not filled');
    await store.cleanupStore.release(leaving, 'retired', { from: ['ready'] });
    await store.cleanupStore.recordContainerGone(leaving);
    await store.valkey.hdel(keys.heldPorts('node0'), String(leaving.port));
    await store.valkey.sadd(keys.availablePorts('node0'), String(leaving.port));
    await store.cleanupStore.coolPort(leaving);
    expect(await store.valkey.sismember(keys.availablePorts('node0'), String(leaving.port))).toBe(0);
    expect(await store.valkey.zscore(keys.coolingPorts('node0'), String(leaving.port))).not.toBeNull();
  });

  it('leaves a name of another version alone, whatever has become of its instance', async () => {
    const entry = JSON.stringify({ v: 2, id: newInstanceId(), node: 'node0', port: 1 });
    await store.valkey.hset(keys.hostnames, 'newer', entry);
    await store.valkey.hset(keys.hostnames, 'damaged', 'nonsense');
    expect(await store.inventory.reconcileHostnames(await store.inventory.list())).toBe(1);
    expect(await store.valkey.hget(keys.hostnames, 'newer')).toBe(entry);
    expect(await store.valkey.hexists(keys.hostnames, 'damaged')).toBe(0);
  });

  it('finds what is due behind records that cannot be read', async () => {
    const [sound] = await fillPool(store, tiny);
    if (sound === undefined) throw new Error('the pool was not filled');
    for (const at of [1, 2, 3]) {
      await store.valkey.zadd(keys.assigned('tiny'), at, `unread${at}`);
      await store.valkey.hset(keys.instances, `unread${at}`, '{"v":2}');
    }
    await store.valkey.hset(
      keys.instances,
      sound.id,
      JSON.stringify({
        ...sound,
        state: 'assigned',
        owner: 'somebody',
        assignedAtMs: 1,
        deadlineMs: 10,
        endOfLifeMs: 20,
      }),
    );
    await store.valkey.zadd(keys.assigned('tiny'), 10, sound.id);
    for (const limit of [1, 2, 3, 10])
      expect((await store.cleanupStore.expired(limit)).map(({ id }) => id)).toEqual([sound.id]);
  });

  it('skips a record of another version and leaves what hangs on it alone', async () => {
    const [newer] = await fillPool(store, tiny);
    if (newer === undefined) throw new Error('the pool was not filled');
    await store.valkey.hset(keys.instances, newer.id, JSON.stringify({ ...newer, v: 2 }));
    expect((await store.inventory.list()).map(({ id }) => id)).not.toContain(newer.id);
    expect(await store.inventory.isRecorded(newer.id)).toBe(true);
    await store.inventory.reconcilePorts();
    await store.inventory.reconcileIndexes(await store.inventory.list());
    expect(await store.valkey.hget(keys.heldPorts('node0'), String(newer.port))).toBe(newer.id);
  });

  it('hands out no instance that a later version recorded, and puts it back where that version finds it', async () => {
    await fillPool(store, tiny);
    const idle = await store.inventory.list();
    const later = new Map(idle.map((record) => [record.id, JSON.stringify({ ...record, v: 2, added: 'tomorrow' })]));
    for (const [id, text] of later) await store.valkey.hset(keys.instances, id, text);
    expect(await store.claimStore.claim(click())).not.toMatchObject({ kind: 'taken' });
    expect(await store.valkey.hgetall(keys.instances)).toEqual(Object.fromEntries(later));
    // The server of that version reads them again.
    for (const record of idle) await store.valkey.hset(keys.instances, record.id, JSON.stringify(record));
    await store.inventory.reconcileIndexes(await store.inventory.list());
    expect(await store.claimStore.claim(click())).toMatchObject({ kind: 'taken' });
  });
});

it('keeps the recorded state consistent under any order of claims, releases and refills', async () => {
  const action = fc.constantFrom('fill', 'take', 'release', 'expire', 'clean', 'fail');
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 40 }), async (actions) => {
      await store.clear();
      const held = new Set<string>();
      for (const step of actions) {
        const records = await store.inventory.list();
        const leaving = records.filter(({ state }) => state === 'releasing');
        switch (step) {
          case 'fill':
            await fillPool(store, tiny);
            break;
          case 'take': {
            const outcome = await store.claimStore.claim(click({ ttlMs: 1_000 }));
            if (outcome.kind === 'taken') {
              expect(held.has(outcome.id)).toBe(false);
              held.add(outcome.id);
            }
            break;
          }
          case 'release':
            await Promise.all(
              records
                .slice(0, 1)
                .map((record) => store.cleanupStore.release(record, 'released', { from: ['assigned'] })),
            );
            break;
          case 'expire':
            await Promise.all(
              (await store.cleanupStore.expired(10)).map((record) =>
                store.cleanupStore.release(record, 'expired', { from: ['assigned'], onlyIfExpired: true }),
              ),
            );
            break;
          case 'clean':
            for (const record of leaving) {
              await store.cleanupStore.recordContainerGone(record);
              await store.cleanupStore.coolPort(record);
              await store.cleanupStore.deleteRecord(record);
            }
            break;
          case 'fail': {
            const [id] = await store.provisioningStore.reserveTickets(tiny);
            if (id !== undefined) {
              const instance = await warm(store, tiny, id);
              await store.provisioningStore.cancelTickets('tiny', [id]);
              await store.cleanupStore.release(instance, 'provision_failed', { from: ['warming'] });
            }
          }
        }
        await expectPortsToBalance(store);
        const {
          ready = 0,
          assigned = 0,
          warming = 0,
          leaving: out = 0,
        } = (await store.inventory.stats([tiny])).get('tiny') ?? {};
        expect(ready + assigned + warming + out).toBeLessThanOrEqual(tiny.pool.max);
      }
      expect(await store.inventory.reconcileIndexes(await store.inventory.list())).toBe(0);
    }),
    { numRuns: 40 },
  );
});

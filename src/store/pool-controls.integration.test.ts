import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { startStore, fillPool, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { keys } from './keys.ts';

let store: TestStore;
beforeAll(async () => {
  store = await startStore();
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
});
beforeEach(() => store.clear());

const tiny = template();
const click = (idempotencyKey?: string) =>
  store.claimStore.claim({ template: tiny, clientKey: '203.0.113.7', owner: 'visitor', idempotencyKey, ttlMs: 60_000 });
const control = async () => (await store.controls.read(['tiny'])).get('tiny');

describe('a template', () => {
  it('is open until an operator says otherwise', async () => {
    expect(await control()).toEqual({
      mode: 'open',
      sinceMs: undefined,
      deadlineMs: undefined,
      reason: undefined,
      target: undefined,
      targetUntilMs: undefined,
    });
  });

  it('that is paused hands nothing out, lets visitors keep what they have, and stays warm', async () => {
    await fillPool(store, tiny);
    const held = await click('key');
    await store.controls.pause('tiny', 'maintenance at noon');
    expect(await click()).toEqual({ kind: 'paused', retryAfterMs: 30_000, reason: 'maintenance at noon' });
    expect(await click('key')).toMatchObject({ kind: 'again', id: held.kind === 'taken' ? held.id : '' });
    expect(await control()).toMatchObject({ mode: 'paused', reason: 'maintenance at noon' });
    expect(await store.provisioningStore.reserveTickets(tiny)).toHaveLength(1);
    expect(await store.cleanupStore.drainable('tiny', 10)).toEqual([]);
    await store.controls.resume('tiny');
    expect(await click()).toMatchObject({ kind: 'taken' });
  });

  it('that is drained is not refilled, loses idle instances at once and the others at the deadline', async () => {
    await fillPool(store, tiny);
    const held = await click();
    if (held.kind !== 'taken') throw new Error(held.kind);
    const deadlineMs = await store.controls.drain('tiny', 90_000, undefined);
    expect(await store.provisioningStore.reserveTickets(tiny)).toEqual([]);
    expect((await store.cleanupStore.drainable('tiny', 10)).map(({ state }) => state)).toEqual(['ready', 'ready']);
    const view = await store.claimStore.find(held.id);
    if (view === undefined) throw new Error('the held instance is gone');
    // Extended by an hour, it gets what is left of the drain.
    expect(await store.claimStore.extend(view.instance, 3_600_000, 7_200_000)).toMatchObject({
      kind: 'extended',
      deadlineMs,
    });
    const wait = await click();
    expect(wait).toMatchObject({ kind: 'paused' });
    expect(wait.kind === 'paused' ? wait.retryAfterMs : 0).toBeGreaterThan(80_000);

    await store.valkey.hset(keys.poolControl('tiny'), 'deadline_ms', 1);
    expect((await store.cleanupStore.drainable('tiny', 10)).map(({ id }) => id)).toContain(held.id);
    await store.controls.resume('tiny');
    expect(await store.cleanupStore.drainable('tiny', 10)).toEqual([]);
  });

  it('without a deadline drains until the last visitor has gone', async () => {
    await fillPool(store, tiny);
    await click();
    expect(await store.controls.drain('tiny', undefined, undefined)).toBeUndefined();
    expect(await store.cleanupStore.drainable('tiny', 10)).toHaveLength(2);
  });

  it('is filled to the target an operator has set, which outlives a pause', async () => {
    await store.controls.setTarget('tiny', 5);
    await store.controls.pause('tiny', undefined);
    await store.controls.resume('tiny');
    expect(await store.provisioningStore.reserveTickets(tiny)).toHaveLength(5);
    expect((await store.inventory.stats([tiny])).get('tiny')).toMatchObject({ target: 5 });
    await store.controls.setTarget('tiny', undefined);
    expect((await store.inventory.stats([tiny])).get('tiny')).toMatchObject({ target: 3 });
  });
});

it('keeps who did what, newest first', async () => {
  await store.audit.record({ who: 'op-1', action: 'pause', on: 'tiny', outcome: 'done' }, 'admin');
  const [first] = await store.audit.recent(1);
  // What two kinds of callers do within one millisecond is in no order.
  await eventually(async () => {
    const [seconds, micros] = (await store.valkey.time()).map(Number);
    expect((seconds ?? 0) * 1_000 + Math.floor((micros ?? 0) / 1_000)).toBeGreaterThan(first?.atMs ?? Infinity);
  });
  await store.audit.record({ who: 'op-2', action: 'resume', on: 'tiny', outcome: 'done' }, 'operator');
  const entries = await store.audit.recent(10);
  expect(entries.map(({ who, action }) => [who, action])).toEqual([
    ['op-2', 'resume'],
    ['op-1', 'pause'],
  ]);
  expect(Math.abs((entries[0]?.atMs ?? 0) - Date.now())).toBeLessThan(60_000);
  expect(await store.audit.recent(1)).toHaveLength(1);
});

it('keeps what some did, however much others did or were refused', async () => {
  await store.audit.record({ who: 'op-1', action: 'deed', on: 'tiny', outcome: 'done' }, 'admin');
  for (const place of ['previews', 'refused'] as const)
    await Promise.all(
      Array.from({ length: 10_500 }, () =>
        store.audit.record({ who: 'build', action: place, on: 'tiny', outcome: 'done' }, place),
      ),
    );
  const entries = await store.audit.recent(30_000);
  expect(entries.filter(({ action }) => action === 'deed')).toHaveLength(1);
  expect(entries.length).toBeLessThan(21_000);
  expect(entries.map(({ atMs }) => atMs)).toEqual(entries.map(({ atMs }) => atMs).sort((a, b) => b - a));
});

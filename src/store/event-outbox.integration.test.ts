import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { claimed, click, funnelOf, tiny, viewOf } from '../../test/support/store-cases.ts';
import { fillPool, startStore, type TestStore } from '../../test/support/store.ts';
import { keys } from './keys.ts';

let store: TestStore;
beforeAll(async () => {
  store = await startStore({ limits: { hourly: 3, daily: 0 } });
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
});
beforeEach(() => store.clear());

const entries = async () => (await store.outbox.read(100)).map(({ entry }) => entry);

async function endedVisit(site?: string) {
  await fillPool(store, tiny);
  const { id, deadlineMs } = await claimed(store, site === undefined ? {} : { site });
  const { instance } = await viewOf(store, id);
  await store.claimStore.extend(instance, 60_000, 3_600_000);
  await store.cleanupStore.release((await viewOf(store, id)).instance, 'released', { from: ['assigned'] });
  return { id, deadlineMs };
}

describe('The outbox', () => {
  it('has what happens to a visit, in the step that makes it happen, numbered in its order', async () => {
    await store.outbox.limit(100);
    const { id, deadlineMs } = await endedVisit('docs.example.org');
    const visit = { v: 1, id, template: 'tiny', site: 'docs.example.org' };
    expect(await entries()).toMatchObject([
      { ...visit, kind: 'claimed', sequence: 1, deadlineMs },
      { ...visit, kind: 'extended', sequence: 3, deadlineMs: deadlineMs + 60_000 },
      { ...visit, kind: 'ended', sequence: 4, reason: 'released' },
    ]);
  });

  it('says nothing of an instance that nobody had', async () => {
    await store.outbox.limit(100);
    const [idle] = await fillPool(store, tiny);
    if (idle === undefined) throw new Error('the pool is empty');
    const outcome = await store.cleanupStore.release(idle, 'retired', { from: ['ready', 'warming'] });
    expect(outcome.kind).toBe('releasing');
    expect(await entries()).toEqual([]);
  });

  it('has one event less of who gets another for one that was dead', async () => {
    await store.outbox.limit(100);
    await fillPool(store, tiny);
    const dead = await claimed(store);
    await store.cleanupStore.release((await viewOf(store, dead.id)).instance, 'container_lost', { from: ['assigned'] });
    await claimed(store, { replacing: dead.id });
    expect(await entries()).toMatchObject([
      { kind: 'claimed', id: dead.id },
      { kind: 'ended', reason: 'container_lost' },
      { kind: 'claimed', replacement: true, sequence: 1 },
    ]);
  });

  it('stays empty while nobody wants to hear of anything', async () => {
    await endedVisit();
    expect(await store.valkey.exists(keys.eventOutbox)).toBe(0);
  });

  it('takes no more than its limit, and counts what it drops', async () => {
    await store.outbox.limit(2);
    await endedVisit();
    expect(await entries()).toMatchObject([{ kind: 'claimed' }, { kind: 'extended' }]);
    expect(await store.outbox.state()).toMatchObject({ waiting: 2, dropped: 1, limit: 2 });
  });

  it('forgets up to an entry and keeps what came after', async () => {
    await store.outbox.limit(100);
    await endedVisit();
    const [, second] = await store.outbox.read(2);
    await store.outbox.forget(second?.key ?? '');
    expect(await entries()).toMatchObject([{ kind: 'ended' }]);
  });

  it('hands out what another version wrote as unreadable', async () => {
    await store.valkey.xadd(keys.eventOutbox, '*', 'event', JSON.stringify({ v: 2, kind: 'claimed' }));
    await store.valkey.xadd(keys.eventOutbox, '*', 'other', 'field');
    expect(await entries()).toEqual([undefined, undefined]);
  });
});

describe('The funnel', () => {
  it('counts each step by template and site', async () => {
    await endedVisit();
    await claimed(store, { site: 'other' });
    await claimed(store);
    expect(await store.claimStore.claim(click())).toMatchObject({ kind: 'limited' });
    const counts = (await funnelOf(store)).map(({ site, step, reason, count }) => [site, step, reason, count]);
    expect(counts.toSorted()).toEqual([
      ['direct', 'clicked', undefined, 3],
      ['direct', 'ended', 'released', 1],
      ['direct', 'extended', undefined, 1],
      ['direct', 'handed_over', undefined, 2],
      ['direct', 'refused', undefined, 1],
      ['other', 'clicked', undefined, 1],
      ['other', 'handed_over', undefined, 1],
    ]);
  });

  it('is kept by day for a while, and leaves out what it does not know', async () => {
    const today = () => keys.funnel(new Date().toISOString().slice(0, 10));
    const before = today();
    await endedVisit();
    const [day = ''] = await store.valkey.keys(keys.funnel('*'));
    expect([before, today()]).toContain(day);
    expect(await store.valkey.pttl(day)).toBeGreaterThan(89 * 86_400_000);
    await store.valkey.del(await store.valkey.keys(keys.funnel('*')));
    await store.valkey.hset(day, 'tiny direct', 1, 'tiny direct danced', 1, 'tiny direct clicked', 'x', 'a b c d', 1);
    expect(await store.funnel.read(2)).toEqual([]);
  });
});

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { claimed, funnelOf, tiny, viewOf } from '../../test/support/store-cases.ts';
import { fillPool, startStore, type TestStore } from '../../test/support/store.ts';
import type { Instance } from '../domain/instance.ts';
import { keys } from './keys.ts';

const LEAD = { email: 'ann@example.org', name: 'Ann "A" Ölsson' };
const PLACE = 'a-place';

let store: TestStore;
beforeAll(async () => {
  store = await startStore();
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await store.clear();
  await store.outbox.limit(100);
});

async function visit(): Promise<Instance> {
  await fillPool(store, tiny, '/login?token=secret');
  const { id } = await claimed(store, { site: 'docs.example.org' });
  return (await viewOf(store, id)).instance;
}
const entries = async () => (await store.outbox.read(100)).map(({ entry }) => entry);
const counted = async (step: string): Promise<number> =>
  (await funnelOf(store)).filter((each) => each.step === step).reduce((sum, { count }) => sum + count, 0);

it('notes a step once, during the visit and after its end, numbered in its order', async () => {
  const instance = await visit();
  const noted = { kind: 'noted', template: 'tiny', site: 'docs.example.org' };
  expect(await store.visitSteps.callToActionClicked(instance)).toEqual(noted);
  expect(await store.visitSteps.callToActionClicked(instance)).toEqual({ kind: 'unchanged' });
  await store.cleanupStore.release(instance, 'released', { from: ['assigned'] });
  expect(await store.visitSteps.callToActionClicked(instance)).toEqual({ kind: 'unchanged' });
  expect(await store.visitSteps.leadGiven(instance, LEAD)).toEqual(noted);
  expect(await store.visitSteps.leadGiven(instance, LEAD)).toEqual({ kind: 'unchanged' });
  expect(await entries()).toMatchObject([
    { kind: 'claimed', sequence: 1 },
    { kind: 'call_to_action_clicked', sequence: 3, id: instance.id, site: 'docs.example.org' },
    { kind: 'ended', sequence: 4 },
    { kind: 'lead_given', sequence: 5, lead: LEAD },
  ]);
  expect([await counted('call_to_action_clicked'), await counted('lead_given')]).toEqual([1, 1]);
});

it('remembers an ended visit for a while, without what signed its visitor in', async () => {
  const instance = await visit();
  expect(await store.visitSteps.findEnded(instance.label)).toBeUndefined();
  await store.cleanupStore.release(instance, 'expired', { from: ['assigned'] });
  expect(await store.visitSteps.findEnded(instance.label)).toMatchObject({ id: instance.id, owner: instance.owner });
  const key = keys.endedVisit(instance.label);
  expect(await store.valkey.get(key)).not.toContain('secret');
  await store.visitSteps.callToActionClicked(instance);
  expect(await store.valkey.pttl(key)).toBeGreaterThan(3_500_000);
  await store.valkey.del(key);
  await store.valkey.hdel(keys.instances, instance.id);
  expect(await store.visitSteps.callToActionClicked(instance)).toEqual({ kind: 'unknown' });
});

it('remembers nothing of an instance that nobody had', async () => {
  const [idle] = await fillPool(store, tiny);
  if (idle === undefined) throw new Error('the pool is empty');
  await store.cleanupStore.release(idle, 'retired', { from: ['ready'] });
  expect(await store.valkey.exists(keys.endedVisit(idle.label))).toBe(0);
});

it('keeps what was told before the visit until it is told, and no longer', async () => {
  await store.visitSteps.keepLead(PLACE, LEAD, 60_000);
  expect(await store.visitSteps.isLeadKept(PLACE)).toBe(true);
  expect(await store.valkey.pttl(keys.lead(PLACE))).toBeGreaterThan(50_000);
  const instance = await visit();
  expect(await store.visitSteps.keptLeadGiven(instance, PLACE)).toMatchObject({ kind: 'noted' });
  expect(await store.visitSteps.isLeadKept(PLACE)).toBe(false);
  expect((await entries()).at(-1)).toMatchObject({ kind: 'lead_given', lead: LEAD });
  expect(await store.visitSteps.keptLeadGiven(instance, PLACE)).toEqual({ kind: 'unchanged' });
  await store.visitSteps.keepLead(PLACE, LEAD, 60_000);
  expect(await store.visitSteps.keptLeadGiven(instance, PLACE)).toEqual({ kind: 'unchanged' });
  expect(await store.visitSteps.isLeadKept(PLACE)).toBe(false);
  await store.visitSteps.keepLead(PLACE, LEAD, 60_000);
  await store.visitSteps.forgetLead(PLACE);
  expect(await store.valkey.keys(keys.lead('*'))).toEqual([]);
});

it('takes no lead that would get lost, and keeps it for another try', async () => {
  const instance = await visit();
  await store.outbox.limit(1);
  await store.valkey.xadd(keys.eventOutbox, '*', 'event', 'another');
  for (const limit of [1, 0]) {
    await store.outbox.limit(limit);
    await store.visitSteps.keepLead(PLACE, LEAD, 60_000);
    expect(await store.visitSteps.keptLeadGiven(instance, PLACE)).toEqual({ kind: 'nowhere' });
    expect(await store.visitSteps.leadGiven(instance, LEAD)).toEqual({ kind: 'nowhere' });
  }
  expect([await store.visitSteps.isLeadKept(PLACE), await counted('lead_given')]).toEqual([true, 0]);
  await store.outbox.limit(10);
  expect(await store.visitSteps.keptLeadGiven(instance, PLACE)).toMatchObject({ kind: 'noted' });
});

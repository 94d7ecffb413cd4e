import { expect, it } from 'vitest';
import { startStore, fillPool } from '../../test/support/store.ts';
import { click, tiny } from '../../test/support/store-cases.ts';
import { poolStatuses } from './pool-status.ts';

it('tells what is stuck on its way out, and how long the oldest idle instance has been ready', async () => {
  await using store = await startStore();
  const nowMs = Date.now() + 60_000;
  const status = async () =>
    (await poolStatuses({ ...store, clock: { now: () => nowMs } }, [tiny.name, 'none'])).get(tiny.name);
  expect(await status()).toMatchObject({ quarantined: 0, oldestReadyAgeMs: 0 });

  await fillPool(store, tiny);
  const taken = await store.claimStore.claim(click());
  if (taken.kind !== 'taken') throw new Error('the pool was not filled');
  const held = (await store.inventory.list()).find(({ id }) => id === taken.id);
  if (held === undefined) throw new Error('what was taken is not recorded');
  const released = await store.cleanupStore.release(held, 'released', { from: ['assigned'] });
  if (released.kind !== 'releasing') throw new Error('it could not be released');
  // Among those that became ready within a few ms, one that did long before.
  const oldest = (await store.inventory.list()).findLast(({ state }) => state === 'ready');
  if (oldest === undefined) throw new Error('none is ready');
  const older = { ...oldest, readyAtMs: nowMs - 600_000, endOfLifeMs: nowMs };
  await store.valkey.hset('instances', oldest.id, JSON.stringify(older));
  await store.valkey.zadd(`ready:${tiny.name}`, older.endOfLifeMs, oldest.id);
  expect(await status()).toMatchObject({ quarantined: 0, oldestReadyAgeMs: 600_000 });

  await store.cleanupStore.quarantine(released.instance, 'its container cannot be removed');
  expect(await status()).toMatchObject({ mode: 'open', breakerOpen: false, quarantined: 1 });
});

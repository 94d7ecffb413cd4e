import { afterAll, beforeAll, expect, it } from 'vitest';
import { Releasers } from '../lifecycle/releasers.ts';
import { openStore, type Store } from '../store/store.ts';
import { silent, startStore, type TestStore } from '../../test/support/store.ts';
import { inTurn } from './in-turn.ts';

const releasers = new Releasers();
const never = new AbortController().signal;
let store: TestStore;
let another: Store;

beforeAll(async () => {
  store = await startStore();
  releasers.push('store', () => store[Symbol.asyncDispose]());
  another = await openStore({
    valkey: { ...store.address, password: undefined },
    node: { name: 'node1', address: '127.0.0.1' },
    limits: { hourly: 0, daily: 0 },
    portRange: store.portRange,
    portCoolDownMs: 200,
    log: silent,
  });
  releasers.push('another', () => another.close());
});
afterAll(() => releasers.releaseAll(silent));

/** Ends with its signal alone. */
function workUntilAborted(begun: () => Promise<unknown>): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    await begun();
    signal.throwIfAborted();
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
  };
}

it('leaves its work once another process has had the turn, and leaves it that one', async () => {
  const lost: string[] = [];
  const onLost = (reason: string): void => void lost.push(reason);
  const theirs = another.turns.of('carrying', { newestFirst: true });
  const work = workUntilAborted(() => theirs.take(60_000));
  await inTurn(store.turns.of('carrying'), { turnMs: 60_000, againMs: 5, onLost }, never, work);
  expect(lost).toEqual(['another process has the turn now']);
  expect(await theirs.confirm()).toBe(true);
});

it('does nothing while it is the turn of another process', async () => {
  const lost: string[] = [];
  const onLost = (reason: string): void => void lost.push(reason);
  expect(await another.turns.of('taken').take(60_000)).toBe(true);
  let worked = false;
  const work = async (): Promise<void> => Promise.resolve(void (worked = true));
  await inTurn(store.turns.of('taken'), { turnMs: 60_000, againMs: 5, onLost }, never, work);
  expect([worked, lost]).toEqual([false, []]);
});

it('throws what the work throws, and lets another process have the turn then', async () => {
  const onLost = (reason: string): void => expect(reason).toBe('never lost');
  const work = (): Promise<void> => Promise.reject(new Error('the disk is full'));
  await expect(inTurn(store.turns.of('failing'), { turnMs: 60_000, againMs: 5, onLost }, never, work)).rejects.toThrow(
    'the disk is full',
  );
  expect(await another.turns.of('failing').take(60_000)).toBe(true);
});

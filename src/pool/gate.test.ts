import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { LogBook } from '../../test/support/queue.ts';
import { template } from '../../test/support/templates.ts';
import type { GateMode, GateReason } from '../domain/gate-mode.ts';
import { Catalogue } from '../domain/template.ts';
import { Gate } from './gate.ts';
import type { PoolStats } from './interfaces/inventory.ts';

const FULL: PoolStats = { ready: 8, assigned: 0, warming: 0, leaving: 0, waiting: 0, target: 8, capacity: 20 };

function gate(mode: GateMode = 'auto') {
  const world = { now: 0, stats: FULL, told: undefined as GateReason | undefined };
  const catalogue = new Catalogue([template()]);
  const made = new Gate({
    mode,
    catalogue,
    inventory: { stats: () => Promise.resolve(new Map([['tiny', world.stats]])) },
    proof: { challenge: () => Promise.reject(new Error('not asked')), redeem: () => Promise.resolve(undefined) },
    observer: { gate: (_, reason) => (world.told = reason), challenged: () => undefined },
    log: new LogBook(),
    now: () => world.now,
  });
  /** Whether it is raised after a look at this stock, so much later. */
  const after = async (ms: number, stats: Partial<PoolStats> = {}) => {
    world.now += ms;
    world.stats = { ...FULL, ...stats };
    await made.look();
    return made.isRaised('tiny');
  };
  return { made, after, catalogue, world, told: () => world.told };
}

it('is raised while few are ready, somebody waits or little room is left, and for a minute more', async () => {
  const { after, told } = gate();
  // A pool that is being filled for the first time.
  expect(await after(1_000, { ready: 0 })).toBe(false);
  for (const low of [{ ready: 2 }, { waiting: 1 }, { assigned: 16 }]) {
    expect(await after(61_000)).toBe(false);
    expect([await after(1_000, low), told()]).toEqual([true, 'stock']);
    expect(await after(59_000)).toBe(true);
  }
  expect([await after(2_000), told()]).toEqual([false, undefined]);
});

it('is not raised by a pool that keeps none ready', async () => {
  const { after } = gate();
  expect(await after(1_000, { target: 0, ready: 0, waiting: 2 })).toBe(false);
});

it('is raised by far more takers than usual', async () => {
  const { made, after, told } = gate();
  for (let count = 0; count < 9; count += 1) made.noteTaken('tiny');
  expect(await after(1_000)).toBe(false);
  made.noteTaken('tiny');
  expect([await after(1_000), told()]).toEqual([true, 'demand']);
  expect(await after(121_000)).toBe(false);
});

it('is as it is set', async () => {
  const [on, off] = [gate('on'), gate('off')];
  expect([await on.after(1_000), on.told()]).toEqual([true, 'always']);
  expect([await off.after(1_000, { ready: 0, waiting: 5 }), off.told()]).toEqual([false, undefined]);
});

/** What is kept in memory once nothing else is left, in bytes. */
function heldBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

it.each(['auto', 'on', 'off'] as const)(
  'remembers no more after a million visits than after a few (%s)',
  async (mode) => {
    const { made, after, world } = gate(mode);
    const before = heldBytes();
    // Nobody looks meanwhile, as while the store is away.
    for (let second = 0; second < 1_000; second += 1) {
      for (let count = 0; count < 1_000; count += 1) made.noteTaken('tiny');
      world.now += 1_000;
    }
    expect(heldBytes() - before).toBeLessThan(2 * 2 ** 20);
    expect(await after(1_000)).toBe(mode !== 'off');
  },
);

it('forgets templates that are no longer offered, and begins anew with one that comes back', async () => {
  const { made, after, catalogue } = gate();
  const preview = template({ name: 'preview' });
  catalogue.replace([template(), preview]);
  for (let count = 0; count < 20; count += 1) made.noteTaken('preview');
  await after(1_000);
  expect(made.isRaised('preview')).toBe(true);
  catalogue.replace([template()]);
  await after(1_000);
  catalogue.replace([template(), preview]);
  expect(made.isRaised('preview')).toBe(false);
});

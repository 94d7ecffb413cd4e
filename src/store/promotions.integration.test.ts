import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { silent, startStore, type TestStore } from '../../test/support/store.ts';
import type { Promotions } from '../pool/interfaces/promotions.ts';
import { keys } from './keys.ts';
import { openStore, type Store } from './store.ts';

let store: TestStore;
/** The same Valkey, seen from another node. */
let elsewhere: Store;
let promotions: Promotions;
beforeAll(async () => {
  store = await startStore();
  promotions = store.promotions;
  elsewhere = await openStore({
    valkey: { ...store.address, password: undefined },
    node: { name: 'node1', address: '127.0.0.1' },
    limits: { hourly: 0, daily: 0 },
    portRange: { start: 21_100, end: 21_110 },
    portCoolDownMs: 200,
    log: silent,
  });
});
afterAll(async () => {
  await elsewhere.close();
  await store[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await store.valkey.flushall();
});

const [a, b, c] = ['a'.repeat(16), 'b'.repeat(16), 'c'.repeat(16)] as const;
const failTimes = async (times: number, id: string, from: Promotions = promotions) => {
  const outcomes = [];
  for (let time = 0; time < times; time += 1) outcomes.push(await from.restoreFailed('tiny', id));
  return outcomes;
};

describe('promoting and rolling back', () => {
  it('knows of nothing before the first promotion', async () => {
    expect(await promotions.status('tiny')).toEqual({
      current: undefined,
      earlier: [],
      proven: false,
      failures: 0,
      withdrawn: undefined,
    });
    expect(await promotions.current(['tiny', 'other'])).toEqual(new Map());
    expect(await promotions.current([])).toEqual(new Map());
    expect(await promotions.pausedMs('tiny')).toBe(0);
    await expect(promotions.rollback('tiny')).rejects.toMatchObject({ code: 'no_earlier_checkpoint' });
  });

  it('answers for many templates, leaving out those without one', async () => {
    await promotions.promote('tiny', a);
    await promotions.promote('third', b);
    expect(await promotions.current(['third', 'second', 'tiny'])).toEqual(
      new Map([
        ['third', b],
        ['tiny', a],
      ]),
    );
  });

  it('puts each promotion before the last one, and says when nothing changed', async () => {
    expect(await promotions.promote('tiny', a)).toEqual({ changed: true, replaced: undefined });
    expect(await promotions.promote('tiny', b)).toEqual({ changed: true, replaced: a });
    expect(await promotions.promote('tiny', b)).toEqual({ changed: false, replaced: undefined });
    expect(await promotions.promote('tiny', a)).toEqual({ changed: true, replaced: b });
    expect(await promotions.status('tiny')).toMatchObject({ current: a, earlier: [b] });
  });

  it('goes one further back at each rollback, at last to no checkpoint at all', async () => {
    for (const id of [a, b, c]) await promotions.promote('tiny', id);
    expect(await promotions.rollback('tiny')).toEqual({ from: c, to: b });
    expect(await promotions.rollback('tiny')).toEqual({ from: b, to: a });
    expect(await promotions.rollback('tiny')).toEqual({ from: a, to: undefined });
    await expect(promotions.rollback('tiny')).rejects.toMatchObject({ code: 'no_earlier_checkpoint' });
  });

  it('remembers ten, and nothing of those that it forgot', async () => {
    const ids = Array.from({ length: 14 }, (_, at) => at.toString(16).padStart(16, '0'));
    for (const id of ids) {
      await promotions.promote('tiny', id);
      await promotions.restored('tiny', id);
    }
    const { current, earlier } = await promotions.status('tiny');
    expect([current, ...earlier]).toEqual(ids.slice(-10).reverse());
    expect((await store.valkey.hkeys(keys.restores('tiny'))).sort()).toEqual(
      ids.slice(-10).map((id) => `proven:${id}`),
    );
  });
});

describe('what the configuration names', () => {
  it('is promoted once, so that a person’s promotion holds until it names another', async () => {
    expect(await promotions.promote('tiny', a, 'configured')).toEqual({ changed: true, replaced: undefined });
    await promotions.promote('tiny', b);
    expect(await promotions.promote('tiny', a, 'configured')).toEqual({ changed: false, replaced: undefined });
    expect(await promotions.status('tiny')).toMatchObject({ current: b });
    expect(await promotions.promote('tiny', c, 'configured')).toEqual({ changed: true, replaced: b });
    expect(await promotions.promote('tiny', a, 'configured')).toEqual({ changed: true, replaced: c });
  });

  it('stays away after it was rolled back or withdrawn', async () => {
    await promotions.promote('tiny', a, 'configured');
    await promotions.rollback('tiny');
    expect(await promotions.promote('tiny', a, 'configured')).toMatchObject({ changed: false });
    await promotions.promote('tiny', b, 'configured');
    await failTimes(3, b);
    expect(await promotions.promote('tiny', b, 'configured')).toMatchObject({ changed: false });
    expect(await promotions.status('tiny')).toMatchObject({ current: undefined, withdrawn: b });
  });

  it('counts as named also when a person had promoted it before', async () => {
    await promotions.promote('tiny', a);
    expect(await promotions.promote('tiny', a, 'configured')).toMatchObject({ changed: false });
    await promotions.promote('tiny', b);
    expect(await promotions.promote('tiny', a, 'configured')).toMatchObject({ changed: false });
  });
});

describe('how restores go', () => {
  it('withdraws one that never restored at its third failure, whichever nodes they were on', async () => {
    await promotions.promote('tiny', a);
    await promotions.restored('tiny', a);
    await promotions.promote('tiny', b);
    expect(await failTimes(2, b)).toEqual([
      { pauseMs: 0, withdrawn: false, current: b },
      { pauseMs: 0, withdrawn: false, current: b },
    ]);
    expect(await promotions.status('tiny')).toMatchObject({ current: b, proven: false, failures: 2 });
    expect(await elsewhere.promotions.restoreFailed('tiny', b)).toEqual({ pauseMs: 0, withdrawn: true, current: a });
    expect(await promotions.status('tiny')).toEqual({
      current: a,
      earlier: [],
      proven: true,
      failures: 0,
      withdrawn: b,
    });
    // Its own two failures here do not weigh on the one that came back.
    expect(await failTimes(2, a)).toMatchObject([{ pauseMs: 0 }, { pauseMs: 0 }]);
  });

  it('forgets that one was withdrawn when a person promotes it again, and lets it prove itself again', async () => {
    await promotions.promote('tiny', a);
    await failTimes(3, a);
    await promotions.promote('tiny', a);
    expect(await promotions.status('tiny')).toEqual({
      current: a,
      earlier: [],
      proven: false,
      failures: 0,
      withdrawn: undefined,
    });
  });

  it('keeps one that restored anywhere, and has the failing node alone pause, longer each time', async () => {
    await promotions.promote('tiny', a);
    await elsewhere.promotions.restored('tiny', a);
    const outcomes = await failTimes(11, a);
    expect(outcomes.map(({ pauseMs }) => pauseMs)).toEqual([
      0, 0, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 512_000, 600_000, 600_000,
    ]);
    expect(outcomes.every(({ withdrawn, current }) => !withdrawn && current === a)).toBe(true);
    const left = await promotions.pausedMs('tiny');
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(600_000);
    expect(await elsewhere.promotions.pausedMs('tiny')).toBe(0);
  });

  it('ends the pause of the node that restored again, not another’s', async () => {
    await promotions.promote('tiny', a);
    await promotions.restored('tiny', a);
    await failTimes(3, a);
    await failTimes(3, a, elsewhere.promotions);
    await promotions.restored('tiny', a);
    expect(await promotions.pausedMs('tiny')).toBe(0);
    expect(await elsewhere.promotions.pausedMs('tiny')).toBeGreaterThan(0);
    expect(await failTimes(3, a)).toMatchObject([{ pauseMs: 0 }, { pauseMs: 0 }, { pauseMs: 8_000 }]);
  });

  it('does not hold a pause against a checkpoint that was promoted since', async () => {
    await promotions.promote('tiny', a);
    await promotions.restored('tiny', a);
    await failTimes(5, a);
    await promotions.promote('tiny', b);
    expect(await promotions.status('tiny')).toMatchObject({ current: b, failures: 0 });
    expect(await promotions.pausedMs('tiny')).toBe(0);
    await promotions.restored('tiny', b);
    expect(await failTimes(3, b)).toMatchObject([{ pauseMs: 0 }, { pauseMs: 0 }, { pauseMs: 8_000 }]);
  });

  it('is told in vain of one that is not current', async () => {
    await promotions.promote('tiny', a);
    await promotions.promote('tiny', b);
    await promotions.restored('tiny', a);
    expect(await failTimes(4, a)).toContainEqual({ pauseMs: 0, withdrawn: false, current: b });
    expect(await promotions.restoreFailed('other', a)).toEqual({ pauseMs: 0, withdrawn: false, current: undefined });
    expect(await promotions.status('tiny')).toEqual({
      current: b,
      earlier: [a],
      proven: false,
      failures: 0,
      withdrawn: undefined,
    });
    expect(await store.valkey.exists(keys.restores('tiny'), keys.restorePause('tiny', 'node0'))).toBe(0);
  });

  it('writes nothing for a restore that changes nothing', async () => {
    await promotions.promote('tiny', a);
    await promotions.restored('tiny', a);
    const writes = async () => /rdb_changes_since_last_save:(\d+)/.exec(await store.valkey.info('persistence'))?.[1];
    const before = await writes();
    await promotions.restored('tiny', a);
    expect(await writes()).toBe(before);
  });

  it('settles promotions and failures that come at once: never two current, none lost, one withdrawal', async () => {
    await promotions.promote('tiny', a);
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, (_, at) =>
        (at % 2 === 0 ? promotions : elsewhere.promotions).restoreFailed('tiny', a),
      ),
    );
    expect(outcomes.filter(({ withdrawn }) => withdrawn)).toHaveLength(1);

    await promotions.promote('tiny', b);
    const [, ...failures] = await Promise.all([
      promotions.promote('tiny', c),
      ...Array.from({ length: 8 }, () => elsewhere.promotions.restoreFailed('tiny', b)),
    ]);
    const { current, earlier, failures: counted } = await promotions.status('tiny');
    expect(current).toBe(c);
    expect(counted).toBe(0);
    const withdrawn = failures.some((outcome) => outcome.withdrawn);
    expect(earlier).toEqual(withdrawn ? [] : [b]);
  });
});

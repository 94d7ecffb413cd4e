import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newInstanceId } from '../domain/ids.ts';
import type { Instance } from '../domain/instance.ts';
import type { ClaimRequest } from '../pool/interfaces/claim-store.ts';
import { startStore, fillPool, silent, type TestStore } from '../../test/support/store.ts';
import { click, tiny } from '../../test/support/store-cases.ts';
import { storeClockMs } from '../../test/support/store-traffic.ts';
import { template } from '../../test/support/templates.ts';
import type { Template } from '../domain/template.ts';
import { keys } from './keys.ts';
import { openStore, type Store } from './store.ts';

const HOUR_MS = 3_600_000;

let store: TestStore;
let like: Instance;
/** A pool of its own for each look: what was passed over is remembered for some seconds. */
let pool: Template;
let pools = 0;
beforeAll(async () => {
  store = await startStore();
  const [first] = await fillPool(store, template({ pool: { ...tiny.pool, target: 1 } }));
  const record = await store.valkey.hget(keys.instances, first?.id ?? '');
  like = JSON.parse(record ?? '') as Instance;
});
afterAll(() => store[Symbol.asyncDispose]());
beforeEach(newPool);

function newPool(): void {
  pool = template({ name: `pool-${(pools += 1)}` });
}

/** What a claim finds in its way: each is ready there, unless no record backs it. */
interface Standing {
  readonly node: string;
  readonly endOfLifeMs: number;
  readonly backed?: boolean;
  /** Its record is written by somebody else. */
  readonly spaced?: boolean;
}

/** Records them as ready, without containers and ports; returns their ids. */
async function stand(all: readonly Standing[]): Promise<string[]> {
  const writing = store.valkey.pipeline();
  const ids = all.map(({ node, endOfLifeMs, backed = true, spaced = false }) => {
    const id = newInstanceId();
    const record = { ...like, id, template: pool.name, node, endOfLifeMs };
    if (backed) writing.hset(keys.instances, id, JSON.stringify(record, null, spaced ? 1 : undefined));
    writing.zadd(keys.ready(pool.name), endOfLifeMs, id);
    return id;
  });
  await writing.exec();
  return ids;
}

const ready = () => store.valkey.zrange(keys.ready(pool.name), 0, -1);
const take = async (overrides: Partial<ClaimRequest> = {}, { claimStore }: Store = store) => {
  const outcome = await claimStore.claim(click({ template: pool, ...overrides }));
  return outcome.kind === 'taken' ? outcome.id : outcome.kind;
};

/** Another server's. */
const openAnother = () =>
  openStore({
    valkey: { ...store.address, password: undefined },
    node: { name: 'node7', address: '127.0.0.1' },
    limits: { hourly: 0, daily: 0 },
    portRange: store.portRange,
    portCoolDownMs: 200,
    log: silent,
  });

/** Those about what is ready of the pool, in lower case. */
async function commandsOnReady(work: () => Promise<unknown>): Promise<string[]> {
  const seen: string[] = [];
  const monitor = await store.valkey.monitor();
  monitor.on('monitor', (_time: string, [command = '', key = '']: string[]) => {
    if (key === keys.ready(pool.name)) seen.push(command.toLowerCase());
  });
  await work();
  await store.valkey.ping();
  monitor.disconnect();
  return seen;
}

describe('what a claim costs', () => {
  /** Commands in Valkey, those of scripts included. */
  async function commands(work: () => Promise<unknown>): Promise<number> {
    const count = async () =>
      [...(await store.valkey.info('commandstats')).matchAll(/cmdstat_(?!info)\S+?:calls=(\d+)/g)].reduce(
        (sum, [, calls]) => sum + Number(calls),
        0,
      );
    const before = await count();
    await work();
    return (await count()) - before;
  }

  it.each([
    ['on an avoided node', { endsInMs: HOUR_MS, node: 'node7' }],
    ['too old for a visit', { endsInMs: tiny.ttl.defaultMs / 2, node: 'node0' }],
  ])('does not grow with what is ready %s', async (_, { endsInMs, node }) => {
    const costOf = async (passed: number): Promise<number> => {
      newPool();
      const now = await storeClockMs(store.valkey);
      await stand(Array.from({ length: passed }, (_each, at) => ({ node, endOfLifeMs: now + endsInMs + at })));
      await stand(Array.from({ length: 40 }, (_each, at) => ({ node: 'node0', endOfLifeMs: now + 2 * HOUR_MS + at })));
      const avoided = ['node7'];
      await take({ avoided });
      const cost = await commands(() => take({ avoided }));
      const ofSeveral = await commands(() => Promise.all(Array.from({ length: 10 }, () => take({ avoided }))));
      expect(await store.valkey.zcount(keys.ready(pool.name), now + endsInMs, now + endsInMs + passed)).toBe(passed);
      return cost + ofSeveral;
    };
    expect(await costOf(3_000)).toBe(await costOf(3));
  });

  it('is one look for a crowd that comes before anybody has looked', async () => {
    const costOf = async (crowd: number): Promise<number> => {
      newPool();
      const now = await storeClockMs(store.valkey);
      await stand(Array.from({ length: 3_000 }, (_, at) => ({ node: 'node7', endOfLifeMs: now + HOUR_MS + at })));
      await stand(Array.from({ length: crowd }, (_, at) => ({ node: 'node0', endOfLifeMs: now + 2 * HOUR_MS + at })));
      const asked = await commandsOnReady(async () => {
        const taken = await Promise.all(Array.from({ length: crowd }, () => take({ avoided: ['node7'] })));
        expect(new Set(taken).size).toBe(crowd);
      });
      return asked.filter((command) => command === 'zrange').length;
    };
    // Beside the pages of the look, one for each that is taken, and one for each command.
    expect(await costOf(160)).toBeLessThan(2 * (await costOf(1)) + 160);
  });

  it('is the same lone command as ever where nothing is passed over', async () => {
    const now = await storeClockMs(store.valkey);
    await stand([1, 2, 3].map((hours) => ({ node: 'node0', endOfLifeMs: now + hours * HOUR_MS })));
    expect(await commandsOnReady(() => take())).toEqual(['zpopmin']);
  });
});

it('hands out what one who looks at all of them would, and loses nothing', async () => {
  const more = await openAnother();
  const standing = fc.record({
    node: fc.constantFrom('node0', 'node7', 'node8'),
    // Several of one millisecond, and some with less life than a visit.
    endsInMs: fc.integer({ min: 1, max: 8 }).map((at) => tiny.ttl.defaultMs + (at - 2) * 60_000 + 30_000),
    backed: fc.boolean(),
    spaced: fc.boolean(),
  });
  const asking = fc.record({
    avoided: fc.subarray(['node0', 'node7', 'node8']),
    atOnce: fc.integer({ min: 1, max: 4 }),
    elsewhere: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(standing, { maxLength: 40 }), fc.array(asking, { maxLength: 12 }), async (all, asked) => {
      newPool();
      const now = await storeClockMs(store.valkey);
      const placed = all.map((each) => ({ ...each, endOfLifeMs: now + each.endsInMs }));
      const ids = await stand(placed);
      // As Valkey sorts them: those of one millisecond by their ids.
      const order = placed
        .map((each, at) => ({ ...each, id: ids[at] ?? '' }))
        .toSorted((a, b) => a.endOfLifeMs - b.endOfLifeMs || (a.id < b.id ? -1 : 1));
      const left = new Map(order.map((each) => [each.id, each]));
      for (const { avoided, atOnce, elsewhere } of asked) {
        const from = elsewhere ? more : store;
        const expected: string[] = [];
        for (const { id, node, endsInMs, backed } of left.values()) {
          if (expected.length === atOnce) break;
          if (!backed || endsInMs <= tiny.ttl.defaultMs || avoided.includes(node)) continue;
          expected.push(id);
        }
        for (const id of expected) left.delete(id);
        const taken = await Promise.all(Array.from({ length: atOnce }, () => take({ avoided }, from)));
        expect(taken).toEqual([...expected, ...Array<string>(atOnce - expected.length).fill('empty')]);
      }
      const backed = [...left.values()].filter((each) => each.backed).map(({ id }) => id);
      expect((await ready()).filter((id) => left.get(id)?.backed !== false)).toEqual(backed);
    }),
    { numRuns: 60 },
  );
  await more.close();
});

describe('who waits is served before others, however much is ready where nobody is served', () => {
  const avoided = ['node7'];
  const first = () => ({ avoided, owner: 'first', idempotencyKey: pool.name, wait: true });
  const second = { avoided, owner: 'second' };
  /** The first of them waits then. */
  async function standOnNode7(count: number): Promise<number> {
    const now = await storeClockMs(store.valkey);
    await stand(Array.from({ length: count }, (_, at) => ({ node: 'node7', endOfLifeMs: now + HOUR_MS + at })));
    expect(await take(first())).toBe('waiting');
    return now;
  }

  it('on the server where the last look was taken', async () => {
    const now = await standOnNode7(20);
    const [only] = await stand([{ node: 'node0', endOfLifeMs: now + 2 * HOUR_MS }]);
    expect(await take(second)).toBe('empty');
    expect(await take(first())).toBe(only);
  });

  it.each([
    ['after', 2 * HOUR_MS],
    ['before', HOUR_MS - 1],
  ])('where nobody has looked, and what is ready for them ends %s that', async (_, endsInMs) => {
    const elsewhere = await openAnother();
    const now = await standOnNode7(200);
    const [one] = await stand([{ node: 'node0', endOfLifeMs: now + endsInMs }]);
    expect(await take(second, elsewhere)).toBe('empty');
    expect(await take(second, elsewhere)).toBe('empty');
    // What is there beside theirs is anybody's.
    const [other] = await stand([{ node: 'node0', endOfLifeMs: now + endsInMs, spaced: true }]);
    expect([one, other]).toContain(await take(second, elsewhere));
    expect(await take(second, elsewhere)).toBe('empty');
    expect([one, other]).toContain(await take(first(), elsewhere));
    await elsewhere.close();
  });

  it('at a bounded cost, and at none beside where nothing is avoided', async () => {
    const costOf = async (count: number): Promise<number> => {
      newPool();
      const elsewhere = await openAnother();
      const now = await standOnNode7(count);
      await stand([{ node: 'node0', endOfLifeMs: now + HOUR_MS - 1 }]);
      const several = () => Promise.all(Array.from({ length: 10 }, () => take(second, elsewhere)));
      expect(await several()).toEqual(Array(10).fill('empty'));
      const asked = await commandsOnReady(several);
      await elsewhere.close();
      return asked.filter((command) => command === 'zrange').length;
    };
    expect(await costOf(10_000)).toBe(await costOf(1_000));
    expect(await costOf(10_000)).toBeLessThan(12);

    newPool();
    expect(await take({ ...first(), avoided: [] })).toBe('waiting');
    await stand([{ node: 'node0', endOfLifeMs: (await storeClockMs(store.valkey)) + HOUR_MS }]);
    expect(await commandsOnReady(() => take({ owner: 'second' }))).toEqual(['zcount', 'zcard']);
  });
});

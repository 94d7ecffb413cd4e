import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { ownersKey } from '../domain/ids.ts';
import { estimate } from '../domain/waiting-time.ts';
import type { ClaimRequest } from '../pool/interfaces/claim-store.ts';
import { eventually } from '../../test/support/eventually.ts';
import { fillPool, silent, startStore, warm, type TestStore } from '../../test/support/store.ts';
import { click, funnelOf, viewOf } from '../../test/support/store-cases.ts';
import { template } from '../../test/support/templates.ts';
import { keys } from './keys.ts';
import { openStore, type Store } from './store.ts';

const KEY = 'page:tiny';
const roomy = template({ pool: { target: 0, max: 20, replenishThreshold: 0 } });
let store: TestStore;
let other: Store;
beforeAll(async () => {
  store = await startStore();
  other = await openStore({
    valkey: { ...store.address, password: undefined },
    node: { name: 'node0', address: '127.0.0.1' },
    limits: { hourly: 0, daily: 0 },
    portRange: store.portRange,
    portCoolDownMs: 200,
    log: silent,
  });
});
afterAll(async () => {
  await other.close();
  await store[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await store.clear();
  await other.rollbackGuard.check();
});

const placeOf = (owner: string): string => ownersKey(owner, KEY);
const wish = (owner: string, overrides: Partial<ClaimRequest> = {}): ClaimRequest =>
  click({ template: roomy, owner, idempotencyKey: KEY, wait: true, ...overrides });
const ask = async (owner: string, at: Store = store) => at.claimStore.claim(wish(owner));
const passing = async () => store.claimStore.claim(click({ template: roomy, owner: 'passing' }));
const look = async (...owners: string[]) => store.waitingList.look(roomy, owners.map(placeOf));
const positions = async (...owners: string[]) => {
  const { standings } = await look(...owners);
  return owners.map((owner) => standings.get(placeOf(owner))?.ahead);
};
/** One more ready instance, as a worker brings it up. */
const oneMore = async (): Promise<void> => {
  const { ready = 0, warming = 0 } = (await store.inventory.stats([roomy])).get('tiny') ?? {};
  const target = ready + warming + 1;
  const ids = await store.provisioningStore.reserveTickets(template({ pool: { ...roomy.pool, target } }));
  for (const id of ids.slice(0, 1)) await store.provisioningStore.markReady(await warm(store, roomy, id), roomy);
  await store.provisioningStore.cancelTickets('tiny', ids.slice(1));
};

it('serves in the order of arrival, on whichever server, and has nobody pass', async () => {
  expect(await ask('ann')).toMatchObject({ kind: 'waiting', position: 1, isNew: true, refill: { kind: 'preparing' } });
  expect(await ask('ben', other)).toMatchObject({ kind: 'waiting', position: 2 });
  expect(await ask('cay')).toMatchObject({ kind: 'waiting', position: 3 });
  expect(await ask('ann', other)).toMatchObject({ kind: 'waiting', position: 1, isNew: false });
  await oneMore();
  expect(await passing()).toMatchObject({ kind: 'empty' });
  expect(await ask('ben')).toMatchObject({ kind: 'waiting', position: 2 });
  const served = await ask('ann', other);
  expect(served).toMatchObject({ kind: 'taken' });
  expect((served as { waitedMs?: number }).waitedMs).toBeGreaterThanOrEqual(0);
  expect(await positions('ann', 'ben', 'cay')).toEqual([undefined, 0, 1]);
  expect(await ask('ann')).toMatchObject({ kind: 'again' });
});

it('lets the second in as well where there are two, and anybody where there are more than wait', async () => {
  for (const owner of ['ann', 'ben']) await ask(owner);
  await oneMore();
  await oneMore();
  expect((await look('ben')).supply.ready).toBe(2);
  expect(await passing()).toMatchObject({ kind: 'empty' });
  expect(await ask('ben')).toMatchObject({ kind: 'taken' });
  await oneMore();
  expect(await passing()).toMatchObject({ kind: 'taken' });
  expect(await ask('ann')).toMatchObject({ kind: 'taken' });
});

it('moves those behind up when somebody gives up or is not heard of any more', async () => {
  for (const owner of ['ann', 'ben', 'cay', 'dan']) await ask(owner);
  expect(await other.waitingList.leave('tiny', placeOf('ben'))).toBe('direct');
  expect(await store.waitingList.leave('tiny', placeOf('ben'))).toBeUndefined();
  await store.valkey.zadd(keys.waitingLeases('tiny'), 1, placeOf('ann'));
  const view = await look('ann', 'cay', 'dan');
  expect(view.lapsed).toEqual(['direct']);
  expect([...view.standings.values()].map(({ ahead }) => ahead)).toEqual([0, 1]);
  await store.valkey.zadd(keys.waitingLeases('tiny'), 1, placeOf('cay'));
  await oneMore();
  expect(await ask('dan')).toMatchObject({ kind: 'taken', lapsed: ['direct'] });
  expect(await store.valkey.exists(keys.waiting('tiny'), keys.waitingLeases('tiny'), keys.waitingClients('tiny'))).toBe(
    0,
  );
});

it('counts what became of a click for the site it came from, whatever asks for the place later', async () => {
  await store.outbox.limit(10);
  const docs = wish('ann', { site: 'docs.example.org' });
  await store.claimStore.claim(docs);
  for (const owner of ['ben', 'cay']) await store.claimStore.claim({ ...docs, owner });
  await store.waitingList.leave('tiny', placeOf('ben'));
  await store.valkey.zadd(keys.waitingLeases('tiny'), 1, placeOf('cay'));
  expect((await look()).lapsed).toEqual(['docs.example.org']);
  await oneMore();
  expect(await ask('ann')).toMatchObject({ kind: 'taken', site: 'docs.example.org' });
  const steps = (await funnelOf(store)).map(({ site, step, count }) => `${site} ${step} ${count}`);
  expect(steps.toSorted()).toEqual([
    'docs.example.org clicked 3',
    'docs.example.org gave_up 2',
    'docs.example.org handed_over 1',
    'docs.example.org waited 1',
  ]);
  const [held] = await store.inventory.list();
  await store.cleanupStore.release(held ?? expect.fail(), 'released', { from: ['assigned'] });
  // The first stands for three events: clicked, waited, handed over.
  expect((await store.outbox.read(10)).map(({ entry }) => entry)).toMatchObject([
    { kind: 'claimed', site: 'docs.example.org', waitedMs: expect.any(Number) as number, sequence: 1 },
    { kind: 'ended', sequence: 4 },
  ]);
});

it('keeps the place of who is looked for, and of the first only until they should have come', async () => {
  await ask('ann');
  await ask('ben');
  const left = async (owner: string) =>
    Number(await store.valkey.zscore(keys.waitingLeases('tiny'), placeOf(owner))) - (await look()).supply.nowMs;
  await store.valkey.zadd(keys.waitingLeases('tiny'), Date.now() + 9_000, placeOf('ben'));
  await look('ann', 'ben');
  expect(await left('ben')).toBeGreaterThan(15_000);
  await oneMore();
  await look('ann', 'ben');
  expect(await left('ann')).toBeLessThanOrEqual(10_000);
  expect(await left('ben')).toBeGreaterThan(15_000);
  const until = await store.valkey.zscore(keys.waitingLeases('tiny'), placeOf('ann'));
  await look('ann');
  expect(await store.valkey.zscore(keys.waitingLeases('tiny'), placeOf('ann'))).toBe(until);
  // An instance that nobody came for is the next one's.
  await store.valkey.zadd(keys.waitingLeases('tiny'), 1, placeOf('ann'));
  expect(await ask('ben')).toMatchObject({ kind: 'taken' });
});

it('puts who was given a dead one before all others', async () => {
  await oneMore();
  const dead = await ask('ann');
  if (dead.kind !== 'taken') throw new Error(`there was one, and the answer was ${dead.kind}`);
  await ask('ben');
  const { instance } = await viewOf(store, dead.id);
  await store.cleanupStore.release(instance, 'container_lost', { from: ['assigned'] });
  const replacing = wish('ann', { replacing: dead.id });
  expect(await store.claimStore.claim(replacing)).toMatchObject({ kind: 'waiting', position: 1 });
  expect(await positions('ann', 'ben')).toEqual([0, 1]);
  await oneMore();
  expect(await ask('ben')).toMatchObject({ kind: 'waiting', position: 2 });
  expect(await ask('ann')).toMatchObject({ kind: 'taken' });
});

it('starts one for each who waits, also where none are kept ready, but not against the operators', async () => {
  expect(await store.provisioningStore.reserveTickets(roomy)).toEqual([]);
  for (const owner of ['ann', 'ben', 'cay']) await ask(owner);
  expect(await store.provisioningStore.reserveTickets(roomy)).toHaveLength(3);
  expect(await store.provisioningStore.reserveTickets(roomy)).toEqual([]);
  await store.controls.setTarget('tiny', 0);
  await store.valkey.del(keys.warming('tiny'));
  expect(await ask('dan')).toEqual({ kind: 'empty', refill: { kind: 'off' } });
  expect(await store.provisioningStore.reserveTickets(roomy)).toEqual([]);
  expect(estimate((await look('ann')).supply, 0)).toEqual({ reason: 'off', etaMs: undefined });
  await store.controls.setTarget('tiny', undefined);
  await store.controls.pause('tiny', 'moving house');
  expect(await ask('ann')).toMatchObject({ kind: 'paused' });
  const paused = await look('ann');
  expect([paused.reason, estimate(paused.supply, 0)]).toEqual(['moving house', { reason: 'paused', etaMs: undefined }]);
  expect(await positions('ann')).toEqual([0]);
});

it('lets a client wait for no more than its limits allow', async () => {
  await using limited = await startStore({ limits: { hourly: 2, daily: 0 } });
  const join = async (owner: string, clientKey = 'one') => limited.claimStore.claim(wish(owner, { clientKey }));
  expect(await join('ann')).toMatchObject({ kind: 'waiting', position: 1 });
  expect(await join('ben')).toMatchObject({ kind: 'waiting', position: 2 });
  expect(await join('cay')).toMatchObject({ kind: 'limited', window: 'hourly' });
  expect(await join('ann')).toMatchObject({ kind: 'waiting', position: 1 });
  expect(await join('cay', 'two')).toMatchObject({ kind: 'waiting', position: 3 });
  await limited.waitingList.leave('tiny', placeOf('ben'));
  expect(await join('dan')).toMatchObject({ kind: 'waiting', position: 3 });
});

it('lets the addresses of one network wait for no more than it may hold, and reads what has no network', async () => {
  const held = { network: '2001:db8:1::/48', perClient: 2, perNetwork: 3, perOwner: 0 };
  const join = async (owner: string, subnet: number, overrides: Partial<ClaimRequest> = {}) =>
    store.claimStore.claim(wish(owner, { clientKey: `2001:db8:1:${subnet}::/64`, held, ...overrides }));
  for (const [at, owner] of ['ann', 'ben', 'cay'].entries())
    expect(await join(owner, at, { site: 'docs.example.org' })).toMatchObject({ kind: 'waiting', position: at + 1 });
  expect(await join('dan', 3)).toMatchObject({ kind: 'limited', window: 'held', scope: 'network', limit: 3, held: [] });
  expect(await join('ann', 0)).toMatchObject({ kind: 'waiting', position: 1 });
  expect(await join('eve', 3, { held: { ...held, network: '2001:db8:2::/48' } })).toMatchObject({ kind: 'waiting' });
  // As an older version has written it.
  await store.valkey.hset(keys.waitingClients('tiny'), placeOf('ben'), '2001:db8:1:1::/64 docs.example.org');
  expect(await join('dan', 3)).toMatchObject({ kind: 'waiting' });
  expect(await join('fay', 1, { held: { ...held, perClient: 1, perNetwork: 0 } })).toMatchObject({ scope: 'client' });
  expect(await store.waitingList.leave('tiny', placeOf('ben'))).toBe('docs.example.org');
  expect(await store.waitingList.leave('tiny', placeOf('cay'))).toBe('docs.example.org');
});

it('reads the line for nobody who has work to prove, holds as many as they may, or finds it full', async () => {
  await ask('ann');
  const held = { network: 'one', perClient: 1, perNetwork: 8, perOwner: 0 };
  const readings = async () =>
    Number(/cmdstat_hvals:calls=(\d+)/.exec(await store.valkey.info('commandstats'))?.[1] ?? 0);
  const join = async (owner: string, overrides: Partial<ClaimRequest> = {}) => {
    const before = await readings();
    const { kind } = await store.claimStore.claim(wish(owner, { clientKey: 'one', held, ...overrides }));
    return [kind, (await readings()) - before];
  };
  expect(await join('ben', { unproven: true })).toEqual(['unproven', 0]);
  expect(await join('ben')).toEqual(['waiting', 1]);
  expect(await join('ben')).toEqual(['waiting', 0]);
  expect(await join('cay')).toEqual(['limited', 1]);
  const others = Array.from({ length: 998 }, (_, at) => `other${at}`);
  const until = Date.now() + 60_000;
  await store.valkey.zadd(keys.waiting('tiny'), ...others.flatMap((each, at) => [until + at, each]));
  await store.valkey.zadd(keys.waitingLeases('tiny'), ...others.flatMap((each) => [until, each]));
  expect(await join('dan', { clientKey: 'two' })).toEqual(['empty', 0]);
  // One that has lapsed makes room.
  await store.valkey.zadd(keys.waitingLeases('tiny'), 1, 'other7');
  expect(await join('dan')).toEqual(['limited', 1]);
  await store.clear();
  await fillPool(store, template());
  await store.claimStore.claim(click({ clientKey: 'one', held }));
  expect(await join('eve')).toEqual(['limited', 0]);
});

it('measures when instances came up, and knows what is under way', async () => {
  await fillPool(store, template({ pool: { ...roomy.pool, target: 2 } }));
  await ask('ann');
  await ask('ben');
  await ask('cay');
  const [ticket] = await store.provisioningStore.reserveTickets(roomy);
  await warm(store, roomy, ticket ?? '');
  const { supply } = await look('cay');
  expect(supply).toMatchObject({
    mode: 'open',
    ready: 0,
    warming: 1,
    assigned: 2,
    leaving: 0,
    capacity: 20,
    off: false,
  });
  expect(supply.startAgesMs).toHaveLength(1);
  expect(supply.endsInMs).toHaveLength(2);
  expect(supply.refilled.map(({ left }) => left)).toEqual([0, 1]);
  expect(supply.refilled.every(({ tookMs, atMs }) => tookMs >= 0 && atMs <= supply.nowMs)).toBe(true);
});

it('knows for which templates anybody waits, also by what was left half', async () => {
  expect(await store.waitingList.occupied(['tiny', 'other', 'third'])).toEqual(new Set());
  await ask('first');
  await store.valkey.zadd(keys.waitingLeases('other'), 1, 'left');
  expect(await store.waitingList.occupied(['tiny', 'other', 'third'])).toEqual(new Set(['tiny', 'other']));
});

it('repairs what somebody else wrote into one of its sets', async () => {
  await ask('ann');
  await store.valkey.zadd(keys.waiting('tiny'), 1, 'nobody');
  await store.valkey.zadd(keys.waitingLeases('tiny'), Date.now() + 60_000, 'nowhere', Date.now() + 60_000, 'either');
  await store.valkey.lpush(keys.refills('tiny'), 'yesterday');
  const { standings, supply } = await look('ann', 'nobody');
  expect([standings.size, supply.refilled]).toEqual([1, []]);
  expect(await store.valkey.zrange(keys.waitingLeases('tiny'), 0, -1)).toEqual([placeOf('ann')]);
});

it('ends its keys by themselves once nobody asks any more', async () => {
  await ask('ann');
  for (const key of [keys.waiting('tiny'), keys.waitingLeases('tiny'), keys.waitingClients('tiny')])
    await eventually(async () => expect(await store.valkey.pttl(key)).toBeGreaterThan(20_000));
});

it('agrees with a line of people in any order of arrivals, refills and departures, over two servers', async () => {
  const people = ['ann', 'ben', 'cay', 'dan', 'eve'] as const;
  const person = fc.constantFrom(...people);
  const move = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('ask' as const), who: person, elsewhere: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('ready' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('pass' as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const), who: person }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('silent' as const), who: person }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('look' as const) }) },
  );
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.array(move, { minLength: 5, maxLength: 30 }), async (moves) => {
      await store.clear();
      await other.rollbackGuard.check();
      let line: string[] = [];
      const silentOnes = new Set<string>();
      const holding = new Set<string>();
      let ready = 0;
      const heard = (): void => {
        line = line.filter((who) => !silentOnes.has(who));
        silentOnes.clear();
      };
      for (const next of moves) {
        switch (next.kind) {
          case 'ready':
            await oneMore();
            ready += 1;
            break;
          case 'silent':
            if (!line.includes(next.who)) break;
            await store.valkey.zadd(keys.waitingLeases('tiny'), 1, placeOf(next.who));
            silentOnes.add(next.who);
            break;
          case 'leave':
            expect(await store.waitingList.leave('tiny', placeOf(next.who))).toBe(
              line.includes(next.who) ? 'direct' : undefined,
            );
            line = line.filter((who) => who !== next.who);
            silentOnes.delete(next.who);
            break;
          case 'look':
            heard();
            expect(await positions(...people)).toEqual(
              people.map((who) => (line.includes(who) ? line.indexOf(who) : undefined)),
            );
            break;
          case 'pass': {
            heard();
            const free = ready > line.length;
            seen.add(`passing ${free ? 'taken' : 'empty'}`);
            expect((await passing()).kind).toBe(free ? 'taken' : 'empty');
            if (free) ready -= 1;
            break;
          }
          case 'ask': {
            const outcome = await ask(next.who, next.elsewhere ? other : store);
            seen.add(outcome.kind);
            if (holding.has(next.who)) {
              expect(outcome.kind).toBe('again');
              break;
            }
            heard();
            const ahead = line.includes(next.who) ? line.indexOf(next.who) : line.length;
            if (ready > ahead) {
              expect(outcome.kind).toBe('taken');
              ready -= 1;
              line = line.filter((who) => who !== next.who);
              holding.add(next.who);
            } else {
              if (!line.includes(next.who)) line.push(next.who);
              expect(outcome).toMatchObject({ kind: 'waiting', position: ahead + 1 });
            }
          }
        }
      }
    }),
    { numRuns: 40 * Number(process.env['PROPERTY_RUNS'] ?? '1') },
  );
  expect([...seen].sort()).toEqual(['again', 'passing empty', 'passing taken', 'taken', 'waiting']);
});

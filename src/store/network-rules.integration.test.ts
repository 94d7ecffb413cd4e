import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { startStore, type TestStore } from '../../test/support/store.ts';
import { MOST_NETWORK_RULES } from '../domain/network-rule.ts';
import { keys } from './keys.ts';

const HOUR_MS = 3_600_000;

let store: TestStore;
beforeAll(async () => {
  store = await startStore();
});
afterAll(() => store[Symbol.asyncDispose]());
beforeEach(() => store.clear());

const ban = (network: string, forMs = HOUR_MS) => store.networkRules.put('ban', { network, forMs });

it('tells all of them whenever anything has changed, and nothing while nothing has', async () => {
  const { networkRules, valkey } = store;
  let { state } = await networkRules.list();
  const changed = async (): Promise<readonly string[] | undefined> => {
    const stored = await networkRules.unlessKnown(state);
    state = stored?.state ?? state;
    return stored && [...stored.ban, ...stored.allowance].map(({ network }) => network).sort();
  };
  expect(await changed()).toBeUndefined();
  await ban('203.0.113.0/24');
  expect([await changed(), await changed()]).toEqual([['203.0.113.0/24'], undefined]);
  await ban('203.0.113.0/24', 2 * HOUR_MS);
  expect([await changed(), await changed()]).toEqual([['203.0.113.0/24'], undefined]);
  await networkRules.put('allowance', { network: '198.51.100.0/24', forMs: HOUR_MS, held: 3 });
  expect([await changed(), await changed()]).toEqual([['198.51.100.0/24', '203.0.113.0/24'], undefined]);
  // One is taken back and another comes, between two looks.
  expect(await networkRules.remove('ban', '203.0.113.0/24')).toBe(true);
  await ban('192.0.2.0/24');
  expect([await changed(), await changed()]).toEqual([['192.0.2.0/24', '198.51.100.0/24'], undefined]);
  expect(await networkRules.remove('allowance', '198.51.100.0/24')).toBe(true);
  expect([await changed(), await changed()]).toEqual([['192.0.2.0/24'], undefined]);
  // By a server that counts nothing, or a backup that was put back.
  const rule = { v: 1, network: '10.0.0.0/8', sinceMs: 0, untilMs: Date.now() + HOUR_MS };
  await valkey.hset(keys.bans, rule.network, JSON.stringify(rule));
  expect([await changed(), await changed()]).toEqual([['10.0.0.0/8', '192.0.2.0/24'], undefined]);
  await valkey.flushall();
  expect([await changed(), await changed()]).toEqual([[], undefined]);
});

it('drops those that have ended, and leaves alone what it cannot read', async () => {
  const { networkRules, valkey } = store;
  await ban('203.0.113.0/24');
  const ended = { v: 1, network: '192.0.2.0/24', sinceMs: 0, untilMs: Date.now() - 1 };
  await valkey.hset(keys.bans, { [ended.network]: JSON.stringify(ended), damaged: '{' });
  expect((await networkRules.list()).ban.map(({ network }) => network)).toEqual(['203.0.113.0/24']);
  expect((await valkey.hkeys(keys.bans)).sort()).toEqual(['203.0.113.0/24', 'damaged']);
  const { state } = await networkRules.list();
  expect(await networkRules.unlessKnown(state)).toBeUndefined();
});

it('stores as many as may be, and what replaces one of them', async () => {
  const { networkRules, valkey } = store;
  const rules = Array.from({ length: MOST_NETWORK_RULES - 1 }, (_, at) => {
    const network = `10.${at >> 8}.${at % 256}.0/24`;
    return [network, JSON.stringify({ v: 1, network, sinceMs: 0, untilMs: Date.now() + HOUR_MS })] as const;
  });
  await valkey.hset(keys.bans, Object.fromEntries(rules));
  expect(await ban('203.0.113.0/24')).toMatchObject({ network: '203.0.113.0/24' });
  expect(await ban('192.0.2.0/24')).toBeUndefined();
  expect(await ban('203.0.113.0/24', 2 * HOUR_MS)).toMatchObject({ network: '203.0.113.0/24' });
  expect(await networkRules.put('allowance', { network: '192.0.2.0/24', forMs: HOUR_MS, held: 3 })).toBeDefined();
  expect((await networkRules.list()).ban).toHaveLength(MOST_NETWORK_RULES);
  await networkRules.remove('ban', '10.0.0.0/24');
  expect(await ban('192.0.2.0/24')).toMatchObject({ network: '192.0.2.0/24' });
});

import { expect, it } from 'vitest';
import type { StoredNetworkRules } from './interfaces/network-rules.ts';
import { Admission } from './admission.ts';

const HELD = { perClient: 2, perNetwork: 8 };
const caller = { clientKey: '2001:db8:1:2::/64', owner: 'api:2001:db8:1:2::/64' };

async function admission(rules: Partial<StoredNetworkRules> = {}, now = () => 0): Promise<Admission> {
  const stored = { nowMs: 1_000, state: 'one', ban: [], allowance: [], ...rules };
  const made = new Admission({ held: HELD, rules: { unlessKnown: () => Promise.resolve(stored) }, now });
  await made.refresh();
  return made;
}

const rule = (network: string, untilMs: number) => ({ v: 1 as const, network, sinceMs: 0, untilMs });

it('limits an address, its network and a browser', async () => {
  const held = { network: '2001:db8:1::/48', ...HELD, perOwner: 0 };
  const made = await admission();
  expect(made.admit(caller)).toEqual({ held, rates: 'counted', known: false });
  for (const owner of ['visitor:somebody', 'embed:somebody'])
    expect(made.admit({ ...caller, owner }).held).toEqual({ ...held, perOwner: 2 });
});

it('lets who has an API key, and who is on this machine, hold any number', async () => {
  const made = await admission();
  for (const changes of [{ trusted: true }, { clientKey: '127.0.0.1' }])
    expect(made.admit({ ...caller, ...changes })).toEqual({ held: undefined, rates: 'counted', known: true });
});

it('gives a network with an allowance what it says, and browsers in it no more than others', async () => {
  const made = await admission({ allowance: [{ ...rule('2001:db8::/32', 9_000), held: 40 }] });
  expect(made.admit({ ...caller, owner: 'visitor:somebody' })).toEqual({
    held: { network: '2001:db8:1::/48', perClient: 40, perNetwork: 40, perOwner: 2 },
    rates: 'lifted',
    known: true,
  });
  expect(made.admit({ ...caller, clientKey: '203.0.113.7' })).toMatchObject({
    held: { perClient: 2 },
    rates: 'counted',
  });
});

it('lets nobody in who is banned, with a key or without, until the ban ends', async () => {
  let now = 0;
  const ban = [{ ...rule('203.0.113.0/24', 5_000), reason: 'Burned the pool' }, rule('203.0.113.7/32', 3_000)];
  const made = await admission({ ban }, () => now);
  const banned = { ...caller, clientKey: '203.0.113.7', trusted: true };
  expect(() => made.admit(banned)).toThrow(
    expect.objectContaining({
      code: 'banned',
      status: 403,
      retryAfterMs: 4_000,
      details: { network: '203.0.113.0/24', until: '1970-01-01T00:00:05.000Z', reason: 'Burned the pool' },
    }),
  );
  expect(made.admit({ ...banned, clientKey: '203.0.114.7' }).rates).toBe('counted');
  now = 4_000;
  expect(made.admit(banned).rates).toBe('counted');
});

it('has strangers give way to those who wait, and nobody whom the operators know', async () => {
  const made = await admission({ allowance: [{ ...rule('198.51.100.0/24', 9_000), held: 40 }] });
  expect(made.givesWay('203.0.113.7', false)).toBe(true);
  expect(made.givesWay('203.0.113.7', true)).toBe(false);
  for (const client of ['127.0.0.1', '198.51.100.20', undefined]) expect(made.givesWay(client, false)).toBe(false);
});

it('reads the rules when they have changed, and once a minute whatever seems', async () => {
  let now = 0;
  const asked: string[] = [];
  const stored = { nowMs: 1_000, state: 'one', ban: [rule('203.0.113.7/32', 90_000)], allowance: [] };
  const rules = {
    unlessKnown: (state: string) => {
      asked.push(state);
      return Promise.resolve(state === stored.state ? undefined : stored);
    },
  };
  const made = new Admission({ held: HELD, rules, now: () => now });
  for (const at of [0, 2_000, 59_000, 60_000, 62_000]) {
    now = at;
    await made.refresh();
  }
  expect(asked).toEqual(['', 'one', 'one', '', 'one']);
  // Its end goes by the store's clock as it was at the last look.
  expect(() => made.requireNotBanned('203.0.113.7')).toThrow(expect.objectContaining({ retryAfterMs: 87_000 }));
});

it('holds what was just decided here at once, whatever a look says that began before', async () => {
  const look = { end: (): void => undefined };
  const rules = {
    unlessKnown: async (state: string) => {
      await new Promise<void>((resolve) => (look.end = resolve));
      return { nowMs: 1_000, state: `${state}+`, ban: [], allowance: [] };
    },
  };
  const made = new Admission({ held: HELD, rules, now: () => 0 });
  const under = made.refresh();
  made.note('ban', { ...rule('203.0.113.0/24', 6_000), sinceMs: 1_000 });
  expect(() => made.admit({ ...caller, clientKey: '203.0.113.7' })).toThrow(
    expect.objectContaining({ code: 'banned', retryAfterMs: 5_000 }),
  );
  look.end();
  await under;
  expect(() => made.requireNotBanned('203.0.113.7')).toThrow(expect.objectContaining({ code: 'banned' }));
  made.drop('ban', '203.0.113.0/24');
  expect(made.admit({ ...caller, clientKey: '203.0.113.7' }).known).toBe(false);
  made.note('ban', rule('203.0.113.0/24', 6_000));
  const next = made.refresh();
  look.end();
  await next;
  expect(made.admit({ ...caller, clientKey: '203.0.113.7' }).known).toBe(false);
});

import { expect, it } from 'vitest';
import { template } from '../../test/support/templates.ts';
import { runChecks } from './check.ts';
import { shareCheck } from './shares.ts';

const SHIPPED = {
  heldLimit: { perClient: 2, perNetwork: 8 },
  rateLimit: { hourly: 60, daily: 300 },
  templates: [template({ pool: { target: 3, max: 20, replenishThreshold: 0 } })],
  server: { host: '0.0.0.0', trustedProxies: [] },
};
const small = [template({ name: 'small', pool: { target: 1, max: 2, replenishThreshold: 0 } })];

it.each<[string, Partial<typeof SHIPPED>, string, RegExp]>([
  ['the defaults', {}, 'ok', /^2 at once, 60 in an hour; one network of IPv6 8 at once$/],
  ['no limit', { heldLimit: { perClient: 0, perNetwork: 8 } }, 'warning', /^any number: all there may be of tiny$/],
  ['a pool as small as the limit', { templates: small }, 'warning', /^2: all there may be of small$/],
  ['no limit of a network', { heldLimit: { perClient: 2, perNetwork: 0 } }, 'warning', /IPv6 any number/],
  ['no limit by the hour', { rateLimit: { hourly: 0, daily: 300 } }, 'warning', /without end/],
  [
    'a server for this machine alone',
    { heldLimit: { perClient: 0, perNetwork: 0 }, server: { host: '127.0.0.1', trustedProxies: [] } },
    'ok',
    /on this machine/,
  ],
])('judges %s', async (_, changes, verdict, seen) => {
  const [diagnosis] = await runChecks([shareCheck({ ...SHIPPED, ...changes })]);
  expect(diagnosis?.verdict).toBe(verdict);
  expect(diagnosis?.seen).toMatch(seen);
});

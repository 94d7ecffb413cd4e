import fc from 'fast-check';
import { expect, it } from 'vitest';
import { clientNetwork, membersOf } from './client-network.ts';
import { NetworkTable } from './network-table.ts';

// Few different parts, so that clients are in some of the networks.
const part = fc.constantFrom(0, 1, 128, 203, 255);
const ipv4 = fc.tuple(part, part, part, part).map((parts) => parts.join('.'));
const group = fc.constantFrom('0', '1', '8000', 'db8', 'ffff');
const ipv6 = fc.tuple(fc.constantFrom('2001', 'fd00'), group, group, group).map((parts) => `${parts.join(':')}::`);
const network = fc
  .oneof(fc.tuple(ipv4, fc.integer({ min: 8, max: 32 })), fc.tuple(ipv6, fc.integer({ min: 16, max: 64 })))
  .map(([address, prefix]) => clientNetwork(`${address}/${prefix}`) ?? '');
const client = fc.oneof(
  ipv4,
  ipv6.map((address) => `${address}/64`),
  fc.constantFrom('unknown', '', 'key:shop'),
);

it('finds what each network around a client says, as each of them does by itself', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(network, { maxLength: 40 }),
      fc.array(client, { maxLength: 10 }),
      (networks, clients) => {
        const table = new NetworkTable<string>();
        for (const each of networks) table.set(each, each);
        for (const each of clients)
          expect([...table.around(each)].sort()).toEqual(networks.filter((one) => membersOf(one)(each)).sort());
        const some = networks.filter((_, at) => at % 2 === 0);
        table.keepOnly(new Set(some));
        for (const each of clients)
          expect([...table.around(each)].sort()).toEqual(some.filter((one) => membersOf(one)(each)).sort());
        for (const each of some) table.delete(each);
        for (const each of clients) expect(table.around(each)).toEqual([]);
      },
    ),
  );
});

it('keeps what was said last', () => {
  const table = new NetworkTable<number>();
  table.set('203.0.113.0/24', 1);
  table.set('203.0.113.0/24', 2);
  expect(table.around('203.0.113.7')).toEqual([2]);
});

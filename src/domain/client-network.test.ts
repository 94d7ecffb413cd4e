import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { expect, it } from 'vitest';
import { clientNetwork, isLoopback, membersOf, networkOf } from './client-network.ts';

it.each([
  ['203.0.113.7', '203.0.113.7'],
  ['2001:db8:1:2::/64', '2001:db8:1::/48'],
  ['2001:db8:1::/64', '2001:db8:1::/48'],
  ['::/64', '::/48'],
  ['unknown', 'unknown'],
])('counts %s with %s', (client, network) => expect(networkOf(client)).toBe(network));

it.each([
  ['127.0.0.1', true],
  ['127.8.0.1', true],
  ['::/64', true],
  ['12.7.0.1', false],
  ['2001:db8:1:2::/64', false],
  ['unknown', false],
])('takes %s for this machine: %s', (client, expected) => expect(isLoopback(client)).toBe(expected));

it.each([
  ['203.0.113.7', '203.0.113.7/32'],
  ['203.0.113.7/24', '203.0.113.0/24'],
  ['::ffff:203.0.113.7', '203.0.113.7/32'],
  ['::ffff:203.0.113.7/120', '203.0.113.0/24'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::1/128', '2001:db8:1:2::/64'],
  ['2001:DB8:1::/48', '2001:db8:1::/48'],
  ['0.0.0.0/0', undefined],
  ['10.0.0.0/7', undefined],
  ['::/0', undefined],
  ['203.0.113.7/33', undefined],
  ['203.0.113.7/', undefined],
  ['203.0.113.7/8/8', undefined],
  ['203.0.113', undefined],
  ['12', undefined],
  ['example.org', undefined],
  ['', undefined],
])('reads %j as %s', (text, network) => expect(clientNetwork(text)).toBe(network));

it.each([
  ['203.0.113.7', '203.0.113.0/24', true],
  ['203.0.114.7', '203.0.113.0/24', false],
  ['2001:db8:1:2::/64', '2001:db8:1:2::/64', true],
  ['2001:db8:1:2::/64', '2001:db8:1::/48', true],
  ['2001:db8:2:2::/64', '2001:db8:1::/48', false],
  ['203.0.113.7', '2001:db8:1::/48', false],
  ['unknown', '203.0.113.0/24', false],
])('%s in %s: %s', (client, network, expected) => expect(membersOf(network)(client)).toBe(expected));

it('cuts any address to any prefix as the library does', () => {
  const ipv4 = fc.tuple(fc.ipV4(), fc.integer({ min: 8, max: 32 }));
  const ipv6 = fc.tuple(fc.ipV6(), fc.integer({ min: 16, max: 64 }));
  fc.assert(
    fc.property(fc.oneof(ipv4, ipv6), ([text, prefix]) => {
      const address = ipaddr.parse(text);
      fc.pre(address.kind() === 'ipv4' || ipaddr.process(text).kind() === 'ipv6');
      const cidr = `${address.toString()}/${prefix}`;
      const first =
        address.kind() === 'ipv4' ? ipaddr.IPv4.networkAddressFromCIDR(cidr) : ipaddr.IPv6.networkAddressFromCIDR(cidr);
      expect(clientNetwork(`${text}/${prefix}`)).toBe(`${first.toString()}/${prefix}`);
    }),
  );
});

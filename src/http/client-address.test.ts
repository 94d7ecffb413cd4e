import { describe, expect, it } from 'vitest';
import { addressKey, trustedProxies } from './client-address.ts';

describe('addressKey', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:c000:0207', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['::1', '::/64'],
    ['fe80::1%eth0', 'fe80::/64'],
    ['192.0.2.7:4711', '192.0.2.7'],
    ['[2001:db8:1:2::9]:443', '2001:db8:1:2::/64'],
    ['[2001:db8:1:2::9]', '2001:db8:1:2::/64'],
  ])('counts %s against %s', (address, clientKey) => {
    expect(addressKey(address)).toBe(clientKey);
  });

  it('counts two addresses of one /64 together and those of two apart', () => {
    expect(addressKey('2001:db8:0:1::1')).toBe(addressKey('2001:db8:0:1:ffff:ffff:ffff:ffff'));
    expect(addressKey('2001:db8:0:1::1')).not.toBe(addressKey('2001:db8:0:2::1'));
  });

  it.each([
    '',
    'unknown',
    '_hidden',
    '192.0.2',
    '300.1.1.1',
    'localhost',
    '[::1',
    '192.0.2.7:',
    '1.2.3.4, 5.6.7.8',
    '0x7f.1',
  ])('takes %j for no address', (text) => {
    expect(addressKey(text)).toBeUndefined();
  });
});

describe('trustedProxies', () => {
  const trusted = trustedProxies(['192.0.2.1', '10.0.0.0/8', '2001:db8::/32', '::1']);

  it.each(['192.0.2.1', '::ffff:192.0.2.1', '10.255.0.3', '::ffff:10.0.0.1', '2001:db8:ffff::1', '::1'])(
    'believes %s',
    (address) => {
      expect(trusted(address)).toBe(true);
    },
  );

  it.each(['192.0.2.2', '11.0.0.1', '2001:db9::1', '::2', 'unknown', ''])('does not believe %j', (address) => {
    expect(trusted(address)).toBe(false);
  });

  it('refuses an entry that is no address', () => {
    expect(() => trustedProxies(['proxy.example'])).toThrow();
    expect(() => trustedProxies(['10.0.0.0/99'])).toThrow();
  });
});

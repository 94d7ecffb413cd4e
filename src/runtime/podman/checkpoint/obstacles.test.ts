import { describe, expect, it } from 'vitest';
import { dumpConfig } from './criu-config.ts';
import { lockHolders } from './obstacles.ts';
import { boundIn } from './own-address.ts';
import { DEFAULT_DUMP } from '../../../domain/template.ts';

const row = (local: string, state: string, inode = '4711'): string =>
  `  0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000     0        0 ${inode} 1 0 100 0`;
const table = (...rows: string[]): string => ['  sl  local_address rem_address   st', ...rows, ''].join('\n');

describe("sockets on the container's own address", () => {
  it.each([
    ['an address of IPv4', '2B00580A:0BB8', '10.88.0.43', 3000],
    ['one of IPv4 by way of IPv6', '0000000000000000FFFF00002B00580A:0050', '10.88.0.43', 80],
    ['one of IPv6', 'B80D012000000000000000000100000A:0050', '2001:db8:0:0:0:0:a00:1', 80],
  ])('are found on %s', (_, local, address, port) => {
    expect(boundIn(table(row(local, '0A')), 'TCP')).toEqual([{ inode: '4711', protocol: 'TCP', address, port }]);
  });

  it.each([
    ['all addresses', '00000000:0050', '0A'],
    ['all of IPv6', '00000000000000000000000000000000:0050', '0A'],
    ['the loopback', '0100007F:0050', '0A'],
    ['the loopback of IPv6', '00000000000000000000000001000000:0050', '0A'],
    ['the loopback of IPv4 by way of IPv6', '0000000000000000FFFF00000100007F:0050', '0A'],
    ['no port that it listens on', '2B00580A:0050', '01'],
  ])('are none on %s', (_, local, state) => {
    expect(boundIn(table(row(local, state)), 'TCP')).toEqual([]);
  });

  it('are those that packets come to, too, and none that nobody holds', () => {
    expect(boundIn(table(row('2B00580A:0035', '07')), 'UDP')).toHaveLength(1);
    expect(boundIn(table(row('2B00580A:0035', '07', '0')), 'UDP')).toEqual([]);
  });
});

it('tells who holds file locks by the list of the kernel', () => {
  const locks = [
    '1: FLOCK  ADVISORY  WRITE 18452 fe:00:2170513 0 EOF',
    '2: POSIX  ADVISORY  READ 12 fe:00:2146323 128 EOF',
    '2: -> POSIX  ADVISORY  WRITE 13 fe:00:2146323 128 EOF',
    '3: OFDLCK ADVISORY  WRITE -1 fe:00:2146323 0 EOF',
  ].join('\n');
  const processes = [12, 13, 14].map((pid) => ({ pid, name: `app-${pid}` }));
  expect(lockHolders(processes, locks)).toEqual(['app-12 holds file locks: set checkpoint.file_locks to true']);
});

it('tells CRIU only what it does not do anyway', () => {
  expect(dumpConfig(DEFAULT_DUMP)).toEqual([]);
  expect(dumpConfig({ fileLocks: true, ghostLimitBytes: 5 * 2 ** 20, tcpClose: true, linkRemap: true })).toEqual([
    'ghost-limit 5242880',
    'tcp-close',
    'link-remap',
  ]);
});

import { expect, it } from 'vitest';
import { listenFor } from './proxy-listen.ts';

const [LOOPBACK, OLD, NEW] = ['127.0.0.1', '10.0.0.12', '10.0.0.1'];

it.each([
  ['as it was installed', '127.0.0.1:8000', LOOPBACK, '127.0.0.1:8000,10.0.0.1:8000'],
  ['once more', '127.0.0.1:8000,10.0.0.1:8000', NEW, '127.0.0.1:8000,10.0.0.1:8000'],
  ['after a change of the address', '127.0.0.1:8000,10.0.0.12:8000', OLD, '127.0.0.1:8000,10.0.0.1:8000'],
  [
    'where a longer address begins alike',
    '127.0.0.1:8000,10.0.0.12:8000',
    undefined,
    '127.0.0.1:8000,10.0.0.12:8000,10.0.0.1:8000',
  ],
  [
    'beside one that somebody added',
    '127.0.0.1:8000, 192.168.0.7:8000',
    OLD,
    '127.0.0.1:8000,192.168.0.7:8000,10.0.0.1:8000',
  ],
  ['on every address', ':8000', OLD, ':8000'],
  ['on every address of IPv4', '0.0.0.0:8000', undefined, '0.0.0.0:8000'],
  ['without an address from before', '127.0.0.1:8000', undefined, '127.0.0.1:8000,10.0.0.1:8000'],
])('%s', (_, listen, before, expected) => {
  expect(listenFor(listen, { address: NEW, before, own: [LOOPBACK, NEW] })).toBe(expected);
});

it('keeps an address from before that the host still has', () => {
  const listen = '127.0.0.1:8000,10.0.0.12:8000';
  expect(listenFor(listen, { address: NEW, before: OLD, own: [LOOPBACK, NEW, OLD] })).toBe(`${listen},10.0.0.1:8000`);
});

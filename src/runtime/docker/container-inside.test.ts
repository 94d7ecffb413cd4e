import { createServer } from 'node:net';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { connectionsTo, containerInside, listeningSockets } from './container-inside.ts';

const HEAD = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';
const line = (local: string, state: string): string => `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00\n`;

it('reads who listens, and nothing else', () => {
  const text = [
    HEAD,
    line('0100007F:0BB8', '0A'),
    line('00000000:1F90', '0A'),
    line('0100007F:0BB9', '01'),
    line('0B00007F:9ABC', '0A'),
    line('00000000000000000000000000000000:0050', '0A'),
    line('00000000000000000000000001000000:0051', '0A'),
    line('0000000000000000FFFF00000100007F:0052', '0A'),
  ].join('');
  expect(listeningSockets(text)).toEqual([
    { address: '127.0.0.1', port: 3000 },
    { address: '0.0.0.0', port: 8080 },
    { address: '::', port: 80 },
    { address: '::1', port: 81 },
    { address: '::ffff:127.0.0.1', port: 82 },
  ]);
});

it('tells visitors from what a container does with itself', () => {
  const text = [
    '   0: 0200400A:0050 0100400A:D431 01 00000000:00000000 00\n',
    '   1: 0200400A:0050 0200400A:D432 01 00000000:00000000 00\n',
    '   2: 0100007F:0050 0200007F:D433 01 00000000:00000000 00\n',
    '   3: 0200400A:0051 0100400A:D434 01 00000000:00000000 00\n',
    '   4: 0200400A:0050 0100400A:D435 06 00000000:00000000 00\n',
    '   5: 0000000000000000FFFF00000200400A:0050 0000000000000000FFFF00000300400A:D436 01 00000000:00000000 00\n',
    '   6: 0000000000000000FFFF00000100007F:0050 0000000000000000FFFF00000200007F:D437 01 00000000:00000000 00\n',
  ].join('');
  expect(connectionsTo(HEAD + text, 80)).toEqual(['10.64.0.1', '::ffff:10.64.0.3']);
});

it('sees the sockets of a process, and tells nothing of one that is gone', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const inside = await containerInside(process.pid);
  expect(inside.listening).toContainEqual({ address: '127.0.0.1', port });
  expect(inside.users).toContain(process.geteuid?.());
  expect(inside.memoryBytes).toBeGreaterThan(process.memoryUsage().heapUsed);
  server.close();
  expect(await containerInside(2 ** 22 + 1)).toEqual({
    listening: undefined,
    oomKills: 0,
    memoryBytes: undefined,
    users: undefined,
  });
});

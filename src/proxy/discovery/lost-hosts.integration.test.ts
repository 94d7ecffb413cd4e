import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeEach, expect, it } from 'vitest';
import { eventually } from '../../../test/support/eventually.ts';
import { unreachablePort } from '../../../test/support/unreachable-port.ts';
import { freePort } from '../../launcher/tcp-ports.ts';
import { greet } from '../../runtime/readiness/greet.ts';
import { LostHosts } from './lost-hosts.ts';
import { NameTable } from './name-table.ts';

let table: NameTable;
let hosts: LostHosts;
let nowMs: number;
beforeEach(() => {
  nowMs = 0;
  table = new NameTable();
  hosts = new LostHosts(table, greet, () => nowMs);
});

function know(...lost: readonly string[]): void {
  table.setNodes({ nodes: new Map([['Node1', '127.0.0.1']]), lost: new Set(lost) });
}

it('takes no instance for gone on a node that is not lost, nor one that reacts on a node that is', async () => {
  const server = createServer((_, response) => response.end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const there = { node: 'Node1', port: (server.address() as AddressInfo).port };
    know('Node1');
    expect(await hosts.isUnreachable(there)).toBe(false);
    expect(hosts.wasUnreachable(there)).toBe(false);
    know();
    expect(await hosts.isUnreachable({ node: 'Node1', port: await freePort() })).toBe(false);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

it('takes those for gone that refuse, or to which nothing gets through, until their node is back', async () => {
  await using dropped = await unreachablePort();
  know('Node1');
  for (const port of [await freePort(), dropped.port]) {
    const gone = { node: 'Node1', port };
    // Answered without waiting, the first time by what nobody has looked at.
    expect(hosts.wasUnreachable(gone)).toBe(false);
    await eventually(() => expect(hosts.wasUnreachable(gone)).toBe(true));
    expect(await hosts.isUnreachable(gone)).toBe(true);
    know();
    expect(hosts.wasUnreachable(gone)).toBe(false);
    know('Node1');
  }
});

it('finds one that is back after a second', async () => {
  const port = await freePort();
  know('Node1');
  expect(await hosts.isUnreachable({ node: 'Node1', port })).toBe(true);
  const server = createServer((_, response) => response.end());
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  try {
    expect(await hosts.isUnreachable({ node: 'Node1', port })).toBe(true);
    nowMs += 1_000;
    expect(await hosts.isUnreachable({ node: 'Node1', port })).toBe(false);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { freePort } from '../launcher/tcp-ports.ts';
import { HttpProbe } from '../runtime/readiness/http-probe.ts';
import { DeliveryCheck } from './delivery-check.ts';
import { eventually } from '../../test/support/eventually.ts';
import { unreachablePort } from '../../test/support/unreachable-port.ts';

let connections = 0;
const server = createServer();
server.on('connection', () => {
  connections += 1;
});
let living: { address: string; port: number };
let dead: { address: string; port: number };
let nowMs = 0;
let check: DeliveryCheck;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  living = { address: '127.0.0.1', port: (server.address() as AddressInfo).port };
  dead = { address: '127.0.0.1', port: await freePort() };
});
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(() => {
  connections = 0;
  nowMs = 0;
  check = new DeliveryCheck(new HttpProbe(), 'node0', () => nowMs);
});

const lookAt = async (upstream: { address: string; port: number }, times: number): Promise<number> => {
  const answers = await Promise.all(Array.from({ length: times }, () => check.isAlive('node0', upstream)));
  return answers.filter((alive) => alive).length;
};

it('tells the living from the dead, and lets pass what it has no address of', async () => {
  expect(await lookAt(living, 3)).toBe(3);
  await eventually(() => expect(connections).toBe(3));
  expect(await lookAt(dead, 3)).toBe(0);
  expect(await check.isAlive('node0', undefined)).toBe(true);
});

it('looks at 100 at once and at 200 a second, however many come', async () => {
  expect(await lookAt(living, 500)).toBe(500);
  await eventually(() => expect(connections).toBe(100));
  nowMs += 100;
  await lookAt(living, 500);
  await eventually(() => expect(connections).toBe(120));
  nowMs += 3_600_000;
  await lookAt(living, 500);
  await eventually(() => expect(connections).toBe(220));
});

it("looks at everybody's for a while after it met a dead one", async () => {
  await lookAt(living, 99);
  expect(await check.isAlive('node0', dead)).toBe(false);
  expect(await lookAt(dead, 300)).toBe(0);
  nowMs += 10_000;
  expect(await lookAt(dead, 100)).toBe(0);
});

it("concludes nothing from what a visitor has already, and lets it use up nobody else's looks", async () => {
  await using dropped = await unreachablePort();
  const gone = { address: '127.0.0.1', port: dropped.port };
  expect(await check.stillReacts('node7', gone)).toBe(false);
  for (const upstream of [dead, dead, undefined])
    expect(await check.stillReacts('node7', upstream)).toBe(upstream === undefined);
  expect(check.avoided()).toEqual([]);
  await Promise.all(Array.from({ length: 300 }, () => check.stillReacts('node7', living)));
  await eventually(() => expect(connections).toBe(97));
  expect(await lookAt(living, 300)).toBe(300);
  await eventually(() => expect(connections).toBe(197));
});

it('asks a node nothing more for a while after it was not reached, unless it is its own', async () => {
  await using dropped = await unreachablePort();
  const gone = { address: '127.0.0.1', port: dropped.port };
  expect(await check.isAlive('node0', gone)).toBe(false);
  expect(check.avoided()).toEqual([]);
  expect(await check.isAlive('node7', gone)).toBe(false);
  expect(check.avoided()).toEqual(['node7']);
  expect(await check.isAlive('node7', living)).toBe(false);
  // Who has one there waits for no answer either.
  expect(await check.stillReacts('node7', living)).toBe(false);
  expect(await check.isAlive('node8', living)).toBe(true);
  nowMs += 5_000;
  expect(check.avoided()).toEqual([]);
  expect(await check.isAlive('node7', living)).toBe(true);
});

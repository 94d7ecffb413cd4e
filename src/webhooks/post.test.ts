import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { leftAt } from '../../test/support/left-at.ts';
import type { Webhook } from '../domain/webhook.ts';
import { createPoster } from './post.ts';

const MESSAGE = { id: 'event-1', body: '{}' };
const webhook: Webhook = {
  name: 'crm',
  url: '',
  secrets: [`whsec_${Buffer.alloc(32).toString('base64')}`],
  events: [],
  timeoutMs: 60_000,
  retryForMs: 1_000,
};
const server = createServer(({ url }, response) => {
  if (url === '/taken') response.end();
  if (url === '/refused') response.writeHead(500).end();
  if (url === '/cut-off') response.destroy();
  // Of the others one sends a head without an end, and the last one nothing.
  if (url === '/endless') response.writeHead(200).write('so far');
});
const poster = createPoster({ userAgent: 'test' });
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(async () => {
  await poster.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const at = (path: string): Webhook => ({
  ...webhook,
  url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`,
});

it.each([
  ['/taken', {}, { kind: 'taken', status: 200 }],
  ['/refused', {}, { kind: 'failed', reason: 'answered 500' }],
  ['/cut-off', {}, { kind: 'failed' }],
  ['/endless', { timeoutMs: 2_000 }, { kind: 'taken' }],
  ['/silent', { timeoutMs: 100 }, { kind: 'failed', reason: 'no answer within 0.1 s' }],
])('leaves nothing at the signal of its caller after a receiver like %s', async (path, patience, outcome) => {
  const life = new AbortController().signal;
  expect(await poster.post({ ...at(path), ...patience }, MESSAGE, life)).toMatchObject(outcome);
  // What hangs after a head is cut off as its time is over.
  await eventually(() => expect(leftAt(life)).toBe(0));
});

it('stops with its caller, and leaves nothing', async () => {
  const caller = new AbortController();
  const posted = poster.post(at('/silent'), MESSAGE, caller.signal);
  caller.abort();
  expect(await posted).toEqual({ kind: 'stopped' });
  expect(await poster.post(at('/taken'), MESSAGE, caller.signal)).toEqual({ kind: 'stopped' });
  expect(leftAt(caller.signal)).toBe(0);
});

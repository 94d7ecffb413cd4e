import { afterAll, beforeAll, expect, it } from 'vitest';
import WebSocket from 'ws';
import { request } from 'undici';
import { eventually } from '../support/eventually.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { template } from '../support/templates.ts';

const PATIENT = { timeoutMs: 60_000 };

interface Held {
  readonly id: string;
  readonly url: string;
  readonly expires_at: string;
}

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({
    templates: [
      template({ idle: { endAfterMs: 8_000, warnMs: 1_000 } }),
      template({ name: 'kept', renewOnUse: true, ttl: { defaultMs: 30_000, maxMs: 300_000 } }),
    ],
  });
});
afterAll(async () => {
  await stack[Symbol.asyncDispose]();
});

async function acquire(name = 'tiny'): Promise<Held> {
  return eventually(async () => {
    const response = await fetch(`${stack.api}/api/v1/demo/acquire`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ template: name }),
    });
    expect(response.status).toBe(201);
    return (await response.json()) as Held;
  }, PATIENT);
}

const look = async ({ id }: Held): Promise<Record<string, unknown>> =>
  (await (await fetch(`${stack.api}/api/v1/demo/${id}`)).json()) as Record<string, unknown>;
const ended = (held: Held) => eventually(async () => expect((await look(held))['state']).not.toBe('assigned'), PATIENT);
const open = async ({ url }: Held): Promise<void> => {
  const { body } = await request(`${stack.proxy}/`, { headers: { host: new URL(url).host } });
  await body.dump();
};

it('end, while those that are asked for, called for or connected to go on', async () => {
  const [asked, called, connected] = [await acquire(), await acquire(), await acquire()];
  const socket = new WebSocket(`${stack.proxy.replace('http', 'ws')}/ws`, {
    headers: { host: new URL(connected.url).host },
  });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const use = setInterval(() => {
    void open(asked).catch(() => undefined);
    void fetch(`${stack.api}/api/v1/demo/${called.id}/use`, { method: 'POST' }).catch(() => undefined);
  }, 500);
  try {
    const left = await acquire();
    expect(await look(left)).toMatchObject({
      unused_end_at: expect.any(String) as string,
      seconds_until_unused_end: expect.any(Number) as number,
    });
    await ended(left);
    for (const held of [asked, called, connected]) expect(await look(held)).toMatchObject({ state: 'assigned' });
    expect(socket.readyState).toBe(WebSocket.OPEN);
    const metrics = await (await fetch(`${stack.api}/metrics`)).text();
    expect(metrics).toMatch(/^try_it_now_releases_total\{[^}]*reason="unused"[^}]*\} 1$/m);
  } finally {
    clearInterval(use);
    socket.terminate();
  }
  await Promise.all([asked, called, connected].map(ended));
});

it('renews what is used, and what is not runs out as it was promised', async () => {
  const [used, left] = [await acquire('kept'), await acquire('kept')];
  const deadline = async (held: Held): Promise<number> => Date.parse(String((await look(held))['expires_at']));
  await eventually(async () => {
    await open(used);
    expect(await deadline(used)).toBeGreaterThan(Date.parse(used.expires_at));
  }, PATIENT);
  expect(await deadline(left)).toBe(Date.parse(left.expires_at));
});

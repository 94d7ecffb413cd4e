import { Redis as Valkey } from 'iovalkey';
import { afterAll, beforeAll, expect, it } from 'vitest';
import WebSocket from 'ws';
import { request } from 'undici';
import { startApp } from '../../src/composition/app.ts';
import { loadConfig } from '../../src/config/load.ts';
import { launchCaddy } from '../../src/launcher/caddy.ts';
import { keys } from '../../src/store/keys.ts';
import { Cleanups, drawPorts, ownFolder } from '../support/deployment.ts';
import { eventually } from '../support/eventually.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { environmentOf } from '../support/stack-environment.ts';
import { silent } from '../support/store.ts';
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

const ask = ({ id }: Held): Promise<Response> => fetch(`${stack.api}/api/v1/demo/${id}`);
const look = async (held: Held): Promise<Record<string, unknown>> => {
  const answer = await ask(held);
  expect(answer.status).toBe(200);
  return (await answer.json()) as Record<string, unknown>;
};
const ended = async (held: Held): Promise<void> => {
  const end = await eventually(async () => {
    const answer = await ask(held);
    const { state } = (await answer.json()) as { state?: string };
    expect(state).not.toBe('assigned');
    return { status: answer.status, state };
  }, PATIENT);
  expect([
    { status: 404, state: undefined },
    { status: 200, state: 'releasing' },
  ]).toContainEqual(end);
};
const open = async ({ url }: Held): Promise<void> => {
  const { body } = await request(`${stack.proxy}/`, { headers: { host: new URL(url).host } });
  await body.dump();
};

const connectedTo = async (proxy: string, { url }: Held): Promise<WebSocket> => {
  const socket = new WebSocket(`${proxy}/ws`, { headers: { host: new URL(url).host } });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return socket;
};

it('end, while those that are asked for, called for or connected to go on', async () => {
  const [asked, called, connected] = [await acquire(), await acquire(), await acquire()];
  const socket = await connectedTo(stack.proxy.replace('http', 'ws'), connected);
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

it('go on while somebody is connected to them through the proxy of another server', async () => {
  await using cleanups = new Cleanups('the second server');
  const caddy = await launchCaddy({ dir: await ownFolder(cleanups, 'try-it-now-second-') });
  cleanups.push(() => caddy.server.stop());
  const ports = await drawPorts();
  const { config } = loadConfig({
    ...environmentOf(stack),
    CONTAINER_MODE: 'none',
    CADDY_ADMIN_URL: caddy.adminUrl,
    PROXY_LISTEN: `127.0.0.1:${ports.proxy}`,
    SERVER_PORT: String(ports.server),
    ADMIN_ADDR: `127.0.0.1:${ports.admin}`,
  });
  const second = await startApp({
    config: { ...config, templates: stack.config.templates },
    log: silent,
    role: 'server',
    version: 'test',
  });
  cleanups.push(() => second.stop());
  const [left, ...connected] = [await acquire(), await acquire(), await acquire('kept')];
  const sockets = await Promise.all(connected.map((held) => connectedTo(`ws://127.0.0.1:${ports.proxy}`, held)));
  cleanups.push(() => sockets.forEach((socket) => socket.terminate()));
  await ended(left);
  await eventually(async () => {
    const views = await Promise.all(connected.map(look));
    expect(views).toMatchObject([{ state: 'assigned' }, { state: 'assigned' }]);
    // Both would have ended but for that.
    const now = Date.now();
    for (const { expires_at: until } of connected.slice(1)) expect(now).toBeGreaterThan(Date.parse(until));
  }, PATIENT);
  for (const socket of sockets) expect(socket.readyState).toBe(WebSocket.OPEN);
  // As when its pod goes: both end, and nobody watches that proxy again.
  const valkey = new Valkey(stack.config.valkey.port, stack.config.valkey.host);
  cleanups.push(() => valkey.disconnect());
  const watched = async (): Promise<boolean> =>
    Object.entries(await valkey.hgetall(keys.useReporters)).some(
      ([reporter, at]) => reporter.includes(caddy.adminUrl) && !at.startsWith('left:'),
    );
  expect(await watched()).toBe(true);
  await caddy.server.stop();
  await second.stop();
  expect(await watched()).toBe(false);
});

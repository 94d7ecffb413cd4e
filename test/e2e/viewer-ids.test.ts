import { Redis as Valkey } from 'iovalkey';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FAILURE_REPORT_VERSION } from '../../src/domain/failure-report.ts';
import { newInstanceId, visitName } from '../../src/domain/ids.ts';
import { adminOpenApiDocument } from '../../src/http/admin/openapi-document.ts';
import { connectQueue } from '../../src/queue/connection.ts';
import { storeDeadLetter } from '../../src/queue/dead-letters.ts';
import { createPublisher } from '../../src/queue/publisher.ts';
import { DashboardLogin } from '../support/dashboard-login.ts';
import { eventually } from '../support/eventually.ts';
import { OPERATOR_KEY, askAdmin, operatorOf, type AdminAnswer, type Json } from '../support/operator.ts';
import { readEvents } from '../support/sse.ts';
import { startStack, type Stack } from '../support/stack.ts';
import { silent } from '../support/store.ts';

/** Who may only look, at a deployment whose API is open to everybody. */
const VIEWER_KEY = 'a-key-that-only-looks';
const DAILY_KEY = 'a-key-for-every-day';
const document = (await adminOpenApiDocument()) as { readonly paths: Readonly<Record<string, object>> };
/** All that can be looked at, but one by one of what is listed; who is logged in is for admins. */
const OF_VIEWERS = Object.entries(document.paths)
  .filter(([path, methods]) => 'get' in methods && path !== '/admin/v1/sessions')
  .map(([path]) => path.replace('{template}', 'tiny').replace('{node}', 'node0'))
  .filter((path) => !path.includes('{'));
const PAGES = ['/', '/instances', '/instances?state=assigned', '/pools/tiny', '/queue', '/audit', '/nodes/node0'];

let stack: Stack;
let base: string;
let operator: ReturnType<typeof operatorOf>;
let held: string;
const failed = newInstanceId();
const queued = newInstanceId();
const dead = newInstanceId();

beforeAll(async () => {
  stack = await startStack({
    env: {
      OPERATOR_KEYS: `${OPERATOR_KEY},operator:${DAILY_KEY},viewer:${VIEWER_KEY}`,
      GATE_MODE: 'off',
    },
  });
  base = `http://127.0.0.1:${stack.config.admin.port}`;
  operator = operatorOf(stack);
  await eventually(async () => expect(await operator.pool()).toMatchObject({ ready: 3 }));
  held = ((await (await operator.acquire()).json()) as { id: string }).id;
  await spellIds();
});
afterAll(() => stack[Symbol.asyncDispose]());

/** Wherever operators are told one. */
async function spellIds(): Promise<void> {
  const [valkey, connection] = [
    new Valkey(stack.config.valkey.port, stack.config.valkey.host),
    await connectQueue({ ...stack.config.nats, log: silent }),
  ];
  const report = {
    ...{ v: FAILURE_REPORT_VERSION, instance: failed, template: 'tiny', node: 'node0', atMs: Date.now() },
    ...{ code: 'container_failed', reason: `${failed} ended`, remedy: 'Look', exitCode: 1, signal: null },
    output: `I am\n${failed}\n`,
  };
  await valkey.lpush('failures:tiny', JSON.stringify(report));
  valkey.disconnect();
  await createPublisher({ connection, log: silent }).publishCleanup({
    ...{ v: 1, kind: 'cleanup', id: queued, node: 'node9' },
  });
  await storeDeadLetter(connection, {
    subject: 'provisioning.cleanup.node0',
    payload: new TextEncoder().encode(JSON.stringify({ v: 1, kind: 'cleanup', id: dead, node: 'node0' })),
    ...{ sequence: 101, publishedAt: new Date(), attempts: 5, reason: `the engine keeps ${dead}` },
  });
  await connection.close();
  await operator.ask('POST', '/pools/tiny/pause', { reason: `Because of ${held}` });
}

const viewer = (path: string, method = 'GET'): Promise<AdminAnswer> =>
  askAdmin(stack.config.admin.port, method, path, { key: VIEWER_KEY });
const own = (call: string, init?: RequestInit) => fetch(`${stack.api}/api/v1/demo/${call}`, init);
const everyId = async (): Promise<string[]> => [
  ...(await operator.list('/instances', 'instances')).map(({ id }) => String(id)),
  ...[failed, queued, dead],
];

it('an operator is told ids, in all places that the test is about', async () => {
  const told = await Promise.all(
    OF_VIEWERS.map((path) => askAdmin(stack.config.admin.port, 'GET', path, { key: DAILY_KEY })),
  );
  const text = told.map((answer) => answer.text).join('\n');
  for (const id of await everyId()) expect(text).toContain(id);
});

it.each([...OF_VIEWERS, ...PAGES])('who may only look is told none by %s', async (path) => {
  const { status, text } = await viewer(path);
  expect([path, status]).toEqual([path, 200]);
  for (const id of await everyId()) expect(text).not.toContain(id);
});

it('nor by a page that is open while things change', async () => {
  const login = await DashboardLogin.withKey(base, VIEWER_KEY);
  for await (const { data } of readEvents(await login.get('/live', { accept: 'text/event-stream' }))) {
    if (!JSON.stringify(data).includes('Because of')) continue;
    expect(JSON.stringify(data)).not.toContain(held);
    break;
  }
});

it('nothing that they are told opens anything at the public API', async () => {
  const texts = (await Promise.all(OF_VIEWERS.map((path) => viewer(path)))).map(({ text }) => text);
  const words = new Set(texts.join('\n').match(/[\w-]{8,64}/g));
  expect(words).toContain(visitName(held));
  for (const word of words)
    expect([
      word,
      (await own(word)).status,
      (await own(word, { method: 'DELETE' })).status,
      (await own(`${word}/export`)).status,
      (await own(`${word}/use`, { method: 'POST' })).status,
      (
        await own(`${word}/extend`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"minutes":1}',
        })
      ).status,
    ]).toEqual([word, 404, 404, 404, 404, 404]);
  expect((await own(held)).status).toBe(200);
});

it('the names lead to what they name, and end nothing for who may only look', async () => {
  const { json } = await viewer('/admin/v1/instances?state=assigned');
  const [shown] = (json?.['instances'] ?? []) as readonly Json[];
  expect(shown).toMatchObject({ id: visitName(held) });
  const path = `/admin/v1/instances/${visitName(held)}`;
  expect((await viewer(path)).json).toEqual(shown);
  expect((await viewer(`${path}/logs`)).status).toBe(200);
  expect((await viewer(`/admin/v1/instances/${visitName(failed)}/logs`)).text).toContain(`\n${visitName(failed)}\n`);
  expect((await viewer(path, 'DELETE')).json).toMatchObject({ code: 'role_too_low' });
  expect((await viewer(`/admin/v1/instances/${visitName(newInstanceId())}`)).json).toMatchObject({
    code: 'unknown_instance',
  });
});

it('their search finds by the name alone: by beginnings of an id it could be guessed', async () => {
  const found = async (key: string, q: string): Promise<boolean> =>
    (await askAdmin(stack.config.admin.port, 'GET', `/instances?q=${q}`, { key })).text.includes('1 instance<');
  expect(await found(VIEWER_KEY, held.slice(0, 12))).toBe(false);
  expect(await found(VIEWER_KEY, visitName(held))).toBe(true);
  expect(await found(DAILY_KEY, held.slice(0, 12))).toBe(true);
  expect(await found(DAILY_KEY, visitName(held))).toBe(true);
});

it('an operator ends one by its name, too', async () => {
  const { json } = await operator.ask('DELETE', `/instances/${visitName(held)}`);
  expect(json).toMatchObject({ id: held, state: 'releasing' });
});

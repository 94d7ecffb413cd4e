import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adminOpenApiDocument } from '../../src/http/admin/openapi-document.ts';
import { eventually } from '../support/eventually.ts';
import { OPERATOR_KEY, VISITOR_KEY, askAdmin } from '../support/operator.ts';
import { startStack, type Stack } from '../support/stack.ts';

interface Route {
  readonly method: string;
  readonly path: string;
}

const document = (await adminOpenApiDocument()) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
};
const routes = Object.entries(document.paths).flatMap(([path, methods]): Route[] =>
  Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path })),
);
const BUILDS_KEY = 'a-key-that-builds-have';
/** What each would take, so that nothing but the key can be why it is refused. */
const BODIES: Readonly<Record<string, unknown>> = {
  '/admin/v1/pools/{template}/target': { target: 0 },
  '/admin/v1/queue/purge': { which: 'provision' },
  '/admin/v1/pools/{template}/drain': { within_seconds: 0 },
};
const KEYS = [
  ['no key', null, 401, 'key_missing'],
  ["a visitor's", VISITOR_KEY, 403, 'key_wrong'],
  ['a wrong one', 'guessed-guessed-guessed', 403, 'key_wrong'],
] as const;

let stack: Stack;
let instance: string;
beforeAll(async () => {
  const OPERATOR_KEYS = `${OPERATOR_KEY},another-operators-key,previews:${BUILDS_KEY}`;
  stack = await startStack({ env: { OPERATOR_KEYS, API_KEY: VISITOR_KEY } });
  await eventually(async () =>
    expect((await ask('GET', '/admin/v1/pools')).json).toMatchObject({ pools: [{ ready: 3 }] }),
  );
  instance = ((await ask('GET', '/admin/v1/instances')).json as { instances: { id: string }[] }).instances[0]?.id ?? '';
});
afterAll(() => stack[Symbol.asyncDispose]());

const ask = (method: string, path: string, options: Parameters<typeof askAdmin>[3] = {}) =>
  askAdmin(stack.config.admin.port, method, path, options);
const world = async (): Promise<unknown> => [
  (await ask('GET', '/admin/v1/pools')).json,
  (await ask('GET', '/admin/v1/instances')).json,
];
const newestAudit = async (): Promise<unknown> =>
  ((await ask('GET', '/admin/v1/audit?limit=1')).json as { entries: { at: string }[] }).entries[0];

it('finds every kind of route', () => {
  expect(routes.length).toBeGreaterThan(15);
});

describe.each(KEYS)('with %s', (_name, key, status, code) => {
  it.each(routes)(
    '$method $path is refused, changes nothing, and does not come into the audit log',
    async ({ method, path }) => {
      const [before, auditBefore] = [await world(), await newestAudit()];
      const body = BODIES[path] ?? (method === 'POST' ? {} : undefined);
      const answer = await ask(
        method,
        path.replace('{template}', 'tiny').replace('{id}', instance).replace('{sequence}', '1'),
        { key, ...(body === undefined ? {} : { body }) },
      );
      expect([answer.status, answer.json]).toEqual([status, expect.objectContaining({ code })]);
      expect(await world()).toEqual(before);
      expect(await newestAudit()).toEqual(auditBefore);
    },
  );

  it('not even what is not there is told', async () => {
    expect((await ask('GET', '/admin/v1/nothing', { key })).json).toMatchObject({ code });
  });
});

it('counts what was refused', async () => {
  const metrics = await (await fetch(`${stack.api}/metrics`)).text();
  for (const code of ['key_missing', 'key_wrong'])
    expect(Number(new RegExp(`^try_it_now_admin_refusals_total{code="${code}"} (\\d+)$`, 'm').exec(metrics)?.[1])).toBe(
      (routes.length + 1) * KEYS.filter(([, , , known]) => known === code).length,
    );
});

it('counts what a role may not do, and keeps one of its tries a minute', async () => {
  await ask('POST', '/admin/v1/pools/tiny/resume', { body: {} });
  for (let call = 0; call < 50; call += 1)
    expect((await ask('POST', `/admin/v1/pools/x${call}/pause`, { key: BUILDS_KEY, body: {} })).status).toBe(403);
  const { entries } = (await ask('GET', '/admin/v1/audit')).json as { entries: { action: string; outcome: string }[] };
  expect(entries.slice(0, 2)).toMatchObject([
    { action: 'pool.pause', outcome: 'role_too_low' },
    { action: 'pool.resume', outcome: 'done' },
  ]);
  const metrics = await (await fetch(`${stack.api}/metrics`)).text();
  expect(metrics).toContain('try_it_now_admin_refusals_total{code="role_too_low"} 50');
});

it("takes either operator's key, and tells them apart", async () => {
  const seen = new Set<string>();
  for (const key of [OPERATOR_KEY, 'another-operators-key']) {
    expect((await ask('POST', '/admin/v1/pools/tiny/resume', { key, body: {} })).status).toBe(200);
    seen.add(((await newestAudit()) as { who: string }).who);
  }
  expect(seen.size).toBe(2);
});

it('answers nobody without an operator key in the settings, and says what to do', async () => {
  await using bare = await startStack();
  for (const key of [null, OPERATOR_KEY, VISITOR_KEY]) {
    expect((await askAdmin(bare.config.admin.port, 'POST', '/admin/v1/pools/tiny/pause', { key })).json).toMatchObject({
      status: 503,
      code: 'operator_key_unset',
      detail: expect.stringContaining('OPERATOR_KEYS_FILE') as string,
    });
  }
  expect((await fetch(`${bare.api}/api/v1/demo/acquire`, { method: 'POST' })).status).not.toBe(403);
});

it('is not on the public listener', async () => {
  for (const key of [OPERATOR_KEY, VISITOR_KEY])
    expect((await fetch(`${stack.api}/admin/v1/pools`, { headers: { 'x-api-key': key } })).status).toBe(404);
  expect((await fetch(`${stack.api}/api/v1/pool/stats`, { headers: { 'x-api-key': OPERATOR_KEY } })).status).toBe(403);
});

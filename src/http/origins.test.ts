import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FakeDemos } from '../../test/support/fake-demos.ts';
import { startHttp, type RunningServer } from '../../test/support/http-server.ts';
import { template } from '../../test/support/templates.ts';

const DOCS = 'https://docs.example.org';
const SHOP = 'https://shop.example.org';
const EVIL = 'https://evil.example';
const KEY = 'a-key-of-the-vendor';
const JSON_TYPE = { 'content-type': 'application/json' };

const openTo = (name: string, ...allowedOrigins: string[]) => template({ name, allowedOrigins });

let http: RunningServer;
let keyed: RunningServer;
beforeAll(async () => {
  const demos = new FakeDemos([openTo('hello', DOCS), openTo('shop', SHOP), openTo('ours')]);
  http = await startHttp({ demos });
  keyed = await startHttp({ demos, apiKeys: [KEY] });
});
afterAll(async () => {
  await http[Symbol.asyncDispose]();
  await keyed[Symbol.asyncDispose]();
});
beforeEach(() => http.demos.calls.splice(0));

async function send(method: string, path: string, headers: Record<string, string> = {}, body?: object, to = http) {
  const answer = await fetch(`${to.url}${path}`, {
    method,
    headers: body === undefined ? headers : { ...JSON_TYPE, ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  const code = text.startsWith('{') ? (JSON.parse(text) as { code?: string }).code : undefined;
  return { status: answer.status, code, allowed: answer.headers.get('access-control-allow-origin'), answer };
}
const acquire = (headers: Record<string, string>, name?: string, to = http) =>
  send('POST', '/api/v1/demo/acquire', headers, name === undefined ? {} : { template: name }, to);
const acquired = (): number => http.demos.count('acquire');

describe('a page of another site', () => {
  it.each([
    ['that nobody named', { origin: EVIL }],
    ['that nobody named, in a browser that tells more', { origin: EVIL, 'sec-fetch-site': 'cross-site' }],
    ['on a sibling name', { origin: 'http://abc.localhost:8000', 'sec-fetch-site': 'same-site' }],
    ['that hides its origin', { 'sec-fetch-site': 'cross-site' }],
    ['in a sandboxed frame', { origin: 'null' }],
  ])('%s changes nothing, with a key or without', async (_name, headers) => {
    const own = await acquire({});
    const { id } = JSON.parse(JSON.stringify([...http.demos.instances.values()].at(-1))) as { id: string };
    expect(own.status).toBe(201);
    for (const [method, path, body] of [
      ['POST', '/api/v1/demo/acquire', {}],
      ['POST', `/api/v1/demo/${id}/extend`, { minutes: 1 }],
      ['POST', `/api/v1/demo/${id}/use`],
      ['DELETE', `/api/v1/demo/${id}`],
    ] as const) {
      const { status, code, allowed } = await send(method, path, headers, body);
      expect([path, status, code, allowed]).toEqual([path, 403, 'foreign_origin', null]);
    }
    expect([acquired(), http.demos.instances.get(id)?.state]).toEqual([1, 'assigned']);
    expect(await acquire({ ...headers, 'x-api-key': KEY }, undefined, keyed)).toMatchObject({
      status: 403,
      code: 'foreign_origin',
    });
  });

  it('that a template names takes that one and no other, and reads the answer', async () => {
    expect(await acquire({ origin: SHOP, 'sec-fetch-site': 'cross-site' }, 'shop')).toMatchObject({
      status: 201,
      allowed: SHOP,
    });
    for (const name of ['hello', 'ours', undefined])
      expect(await acquire({ origin: SHOP }, name)).toMatchObject({ status: 403, code: 'foreign_origin' });
    expect(acquired()).toBe(1);
    expect(await acquire({ origin: DOCS })).toMatchObject({ status: 201, allowed: DOCS });
  });

  it('reads the countdown of what it took', async () => {
    const { id } = JSON.parse(await (await fetch(`${http.url}/api/v1/demo/acquire`, { method: 'POST' })).text()) as {
      id: string;
    };
    for (const [origin, allowed] of [
      [DOCS, DOCS],
      [EVIL, null],
    ] as const) {
      const stream = await fetch(`${http.url}/api/v1/demo/${id}/status`, { headers: { origin } });
      expect([stream.status, stream.headers.get('access-control-allow-origin')]).toEqual([200, allowed]);
      await stream.body?.cancel();
    }
  });

  it('is told by a preflight what it may send, also where a key is asked for', async () => {
    for (const to of [http, keyed]) {
      const ask = (origin: string) =>
        send(
          'OPTIONS',
          '/api/v1/demo/acquire',
          { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' },
          undefined,
          to,
        );
      const { status, allowed, answer } = await ask(SHOP);
      expect([status, allowed, answer.headers.get('access-control-allow-credentials')]).toEqual([204, SHOP, null]);
      expect(answer.headers.get('access-control-allow-headers')).toContain('idempotency-key');
      expect((await ask(EVIL)).allowed).toBeNull();
    }
  });
});

it('programs and our own pages go on as before', async () => {
  const { origin } = new URL(http.url);
  for (const headers of [{}, { 'sec-fetch-site': 'same-origin', origin }, { 'sec-fetch-site': 'none' }, { origin }])
    expect((await acquire(headers as Record<string, string>, 'ours')).status).toBe(201);
});

it('reads of an unnamed site are answered, and no browser shows it the answer', async () => {
  expect(await send('GET', '/api/v1/templates', { origin: EVIL })).toMatchObject({ status: 200, allowed: null });
  expect(await send('GET', '/api/v1/templates', { origin: DOCS })).toMatchObject({ status: 200, allowed: DOCS });
});

import { describe, expect, it } from 'vitest';
import { FakeDemos } from '../../test/support/fake-demos.ts';
import { startHttp, type RunningServer } from '../../test/support/http-server.ts';
import { sendRaw } from '../../test/support/raw-http.ts';
import { template } from '../../test/support/templates.ts';
import { TryItNowError } from '../domain/errors.ts';
import { newInstanceId } from '../domain/ids.ts';
import type { AcquireRequest } from './demos.ts';
import { eventually } from '../../test/support/eventually.ts';

interface Body {
  readonly id: string;
  readonly [name: string]: unknown;
}

async function acquire(
  http: RunningServer,
  init: RequestInit = {},
): Promise<{ readonly answer: Response; readonly body: Body }> {
  const answer = await fetch(`${http.url}/api/v1/demo/acquire`, { method: 'POST', ...init });
  return { answer, body: (await answer.json()) as Body };
}

describe('acquire', () => {
  it('answers 201 with all that is needed to open and to control the instance', async () => {
    await using http = await startHttp();
    const { answer, body } = await acquire(http);
    expect(answer.status).toBe(201);
    const instance = http.demos.instances.get(body.id);
    expect(body).toEqual({
      id: body.id,
      url: `http://${instance?.label ?? ''}.localhost:8000/`,
      template: 'hello',
      expires_at: new Date(http.demos.nowMs + 60_000).toISOString(),
      ttl_seconds: 60,
      countdown_url: `http://localhost:8080/api/v1/demo/${body.id}/status`,
    });
    expect(answer.headers.get('location')).toBe(`/api/v1/demo/${body.id}`);
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it.each([
    ['no body', {}],
    ['no body but a content type', { headers: { 'content-type': 'application/json' } }],
    ['an empty body of another type', { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: '' }],
    ['blank JSON', { headers: { 'content-type': 'application/json' }, body: ' \n' }],
    ['{}', { headers: { 'content-type': 'application/json; charset=utf-8' }, body: '{}' }],
  ])('gives the default template for %s', async (_name, init) => {
    await using http = await startHttp();
    expect((await acquire(http, init)).body).toMatchObject({ template: 'hello' });
  });

  it('gives the named template', async () => {
    await using http = await startHttp({ demos: new FakeDemos([template({ name: 'a' }), template({ name: 'b' })]) });
    expect(
      (await acquire(http, { headers: { 'content-type': 'application/json' }, body: '{"template":"b"}' })).body,
    ).toMatchObject({ template: 'b' });
  });

  it('lands where the caller asks, of what the template allows', async () => {
    await using http = await startHttp({ demos: new FakeDemos([template({ name: 'shop', openAllow: ['/cart'] })]) });
    const asking = (open: string) =>
      acquire(http, { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ open }) });
    expect((await asking('/cart')).body['url']).toMatch(/^http:\/\/[a-z2-7]{20}\.localhost:8000\/cart$/);
    const { answer, body } = await asking('//evil.example/');
    expect([answer.status, body]).toEqual([400, expect.objectContaining({ code: 'landing_not_allowed' })]);
    expect(http.demos.instances.size).toBe(1);
  });

  it('answers 200 with the same instance for the same key, and a mismatch for another template', async () => {
    await using http = await startHttp({ demos: new FakeDemos([template({ name: 'a' }), template({ name: 'b' })]) });
    const headers = { 'idempotency-key': 'order 66', 'content-type': 'application/json' };
    const first = await acquire(http, { headers, body: '{}' });
    const second = await acquire(http, { headers, body: '{}' });
    expect([first.answer.status, second.answer.status]).toEqual([201, 200]);
    expect(second.body.id).toBe(first.body.id);
    const third = await acquire(http, { headers, body: '{"template":"b"}' });
    expect(third.answer.status).toBe(422);
    expect(third.body).toMatchObject({ code: 'idempotency_mismatch' });
  });

  it('refuses with Retry-After in whole seconds, rounded up', async () => {
    await using http = await startHttp({ demos: new FakeDemos([template()], 0) });
    const { answer, body } = await acquire(http);
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('2');
    expect(body).toMatchObject({ code: 'pool_empty', retryable: true, retry_after_seconds: 2 });
    http.demos.failure = new TryItNowError('hourly_limit', 'enough', { retryAfterMs: 1 });
    expect((await acquire(http)).answer.headers.get('retry-after')).toBe('1');
  });
});

it.each([['/api/v1/demo/acquire'], ['/try/hello']])('takes nothing for one who has hung up: POST %s', async (path) => {
  await using http = await startHttp({ trustedProxies: ['127.0.0.1'] });
  // Closed as soon as the request was read, before any handler runs.
  http.server.app.server.prependListener('request', (request) => {
    request.prependListener('end', () => request.socket.destroy());
  });
  await expect(
    fetch(`${http.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: 'http://localhost:8080', host: 'localhost:8080' },
      body: '{}',
    }),
  ).rejects.toThrow();

  await eventually(() => expect(http.lines()).toContainEqual(expect.objectContaining({ code: 'client_gone' })));
  expect(http.lines().filter(({ level }) => Number(level) > 20)).toEqual([]);
  expect(http.demos.count('acquire')).toBe(0);
});

describe('an instance', () => {
  it('can be read, extended and given back, twice too', async () => {
    await using http = await startHttp();
    const { id } = (await acquire(http)).body;
    const at = `${http.url}/api/v1/demo/${id}`;
    http.demos.nowMs += 10_000;
    expect(await (await fetch(at)).json()).toMatchObject({
      id,
      state: 'assigned',
      template: 'hello',
      ttl_seconds: 50,
      url: expect.stringMatching(/^http:\/\/[a-z2-7]{20}\.localhost:8000\/$/) as string,
    });

    const extended = await fetch(`${at}/extend`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"minutes":2}',
    });
    expect(await extended.json()).toEqual({
      id,
      expires_at: new Date(http.demos.nowMs + 170_000).toISOString(),
      ttl_seconds: 170,
    });
    const tooLong = await fetch(`${at}/extend`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"minutes":60}',
    });
    expect(await tooLong.json()).toMatchObject({ status: 409, code: 'extension_limit' });

    for (let time = 0; time < 2; time += 1) {
      const released = await fetch(at, { method: 'DELETE' });
      expect([released.status, await released.text()]).toEqual([204, '']);
    }
    expect(await (await fetch(at)).json()).toEqual({ id, state: 'releasing', template: 'hello', ttl_seconds: 0 });
    http.demos.instances.delete(id);
    expect((await fetch(at, { method: 'DELETE' })).status).toBe(204);
    expect((await fetch(at)).status).toBe(404);
  });

  it('takes a DELETE with a JSON content type and no body, as some clients send it', async () => {
    await using http = await startHttp();
    expect(
      (
        await fetch(`${http.url}/api/v1/demo/${newInstanceId()}`, {
          method: 'DELETE',
          headers: { 'content-type': 'application/json' },
        })
      ).status,
    ).toBe(204);
  });
});

describe('what is open to all', () => {
  it('answers /health byte for byte, to HEAD too', async () => {
    await using http = await startHttp();
    const answer = await fetch(`${http.url}/health`);
    expect(await answer.text()).toBe('{"status":"ok"}');
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    const head = await fetch(`${http.url}/health`, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '15', '']);
  });

  it('gives the metrics as they are', async () => {
    await using http = await startHttp();
    const answer = await fetch(`${http.url}/metrics`);
    expect([answer.headers.get('content-type'), await answer.text()]).toEqual([
      'text/plain; version=0.0.4; charset=utf-8',
      'up 1\n',
    ]);
  });

  it('lists the public facts of the templates, and no others', async () => {
    await using http = await startHttp({
      demos: new FakeDemos([
        template({ name: 'a', title: 'A', description: 'An app', env: { SECRET: 'x' } }),
        template({ name: 'b' }),
      ]),
    });
    const { templates } = (await (await fetch(`${http.url}/api/v1/templates`)).json()) as { templates: object[] };
    expect(templates).toHaveLength(2);
    expect(templates[0]).toEqual({
      name: 'a',
      title: 'A',
      description: 'An app',
      default: true,
      ttl_seconds: 60,
      max_ttl_seconds: 300,
    });
  });

  it('sums the pools', async () => {
    const demos = new FakeDemos([template({ name: 'a' }), template({ name: 'b' })]);
    demos.ready.set('b', 0);
    await using http = await startHttp({ demos });
    await acquire(http);
    expect(await (await fetch(`${http.url}/api/v1/pool/stats`)).json()).toEqual({
      ready: 3,
      assigned: 1,
      warming: 3,
      leaving: 0,
      waiting: 0,
      target: 6,
      capacity: 40,
      templates: {
        a: { ready: 3, assigned: 1, warming: 0, leaving: 0, waiting: 0, target: 3, capacity: 20 },
        b: { ready: 0, assigned: 0, warming: 3, leaving: 0, waiting: 0, target: 3, capacity: 20 },
      },
    });
  });
});

describe('API keys', () => {
  it('guard the instances and the pool, and leave the page, the catalogue and operations open', async () => {
    await using http = await startHttp({ apiKeys: ['one', 'two'] });
    const status = async (path: string, init: RequestInit = {}) =>
      (await fetch(http.url + path, { redirect: 'manual', ...init })).status;
    const id = newInstanceId();
    const guarded: [string, string][] = [
      ['POST', '/api/v1/demo/acquire'],
      ['GET', `/api/v1/demo/${id}`],
      ['DELETE', `/api/v1/demo/${id}`],
      ['POST', `/api/v1/demo/${id}/extend`],
      ['GET', `/api/v1/demo/${id}/status`],
      ['GET', '/api/v1/pool/stats'],
    ];
    for (const [method, path] of guarded) {
      expect([method, path, await status(path, { method })]).toEqual([method, path, 401]);
      expect([method, path, await status(path, { method, headers: { 'x-api-key': 'three' } })]).toEqual([
        method,
        path,
        403,
      ]);
    }
    expect(http.demos.calls).toEqual([]);
    for (const key of ['one', 'two'])
      expect(await status('/api/v1/demo/acquire', { method: 'POST', headers: { 'x-api-key': key } })).toBe(201);
    for (const path of ['/', '/health', '/metrics', '/api/v1/templates', '/api/openapi.json'])
      expect([path, await status(path)]).toEqual([path, 200]);
    expect(await status('/try/hello', { method: 'POST' })).toBe(200);
  });

  it('say what is missing and what is wrong', async () => {
    await using http = await startHttp({ apiKeys: ['one'] });
    const missing = await acquire(http);
    expect(missing.answer.headers.get('www-authenticate')).toBe('ApiKey realm="try-it-now"');
    expect(missing.body).toMatchObject({ status: 401, code: 'key_missing' });
    expect((await acquire(http, { headers: { 'x-api-key': 'onE' } })).body).toMatchObject({
      status: 403,
      code: 'key_wrong',
    });
  });
});

describe('whose limit counts', () => {
  const asked = async (trusted: string[], forwarded: string) => {
    await using http = await startHttp({ trustedProxies: trusted });
    await acquire(http, { headers: { 'x-forwarded-for': forwarded } });
    return http.demos.calls[0]?.argument as AcquireRequest;
  };

  it("is the peer's when it is not a trusted proxy, whatever it claims", async () => {
    expect(await asked([], '203.0.113.9')).toMatchObject({ clientKey: '127.0.0.1', owner: 'api:127.0.0.1' });
    expect((await asked(['10.0.0.0/8'], '203.0.113.9')).clientKey).toBe('127.0.0.1');
  });

  it.each([
    ['203.0.113.9', '203.0.113.9'],
    ['2001:db8:1:2:3::4', '2001:db8:1:2::/64'],
    ['198.51.100.1, 203.0.113.9', '203.0.113.9'],
    ['203.0.113.9, 10.1.2.3', '203.0.113.9'],
    ['203.0.113.9:5123', '203.0.113.9'],
    ['garbage', '127.0.0.1'],
    ['', '127.0.0.1'],
  ])('reads %j from trusted proxies as %s', async (forwarded, clientKey) => {
    expect(await asked(['127.0.0.1', '10.0.0.0/8'], forwarded)).toMatchObject({ clientKey, owner: `api:${clientKey}` });
  });
});

describe('request ids', () => {
  it('are taken over where sane and answered always', async () => {
    await using http = await startHttp();
    const idOf = async (given?: string) =>
      (
        await fetch(`${http.url}/health`, given === undefined ? {} : { headers: { 'x-request-id': given } })
      ).headers.get('x-request-id');
    expect(await idOf('abc-123')).toBe('abc-123');
    const [own, other] = [await idOf(), await idOf('not sane')];
    expect(own).toMatch(/^[0-9a-f]{10}-/);
    expect(other).not.toBe(own);
    expect(other).toMatch(/^[0-9a-f]{10}-/);
  });
});

describe('when things go wrong', () => {
  it('an unforeseen failure is a 500 that gives nothing away, logged once under its request id', async () => {
    await using http = await startHttp();
    http.demos.failure = new Error('secret innards');
    const { answer, body } = await acquire(http);
    expect(answer.status).toBe(500);
    expect(body).toMatchObject({ code: 'internal_error', request_id: answer.headers.get('x-request-id') });
    expect(JSON.stringify(body)).not.toContain('innards');
    const logged = http.lines().filter(({ level }) => Number(level) >= 50);
    expect(logged).toMatchObject([{ requestId: body['request_id'], err: { message: 'secret innards' } }]);
  });

  it('draining refuses with 503, closes the connection and leaves the metrics', async () => {
    await using http = await startHttp();
    http.server.drain();
    const answer = await sendRaw(http.port, 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(answer.status).toBe(503);
    expect(answer.headers).toMatchObject({ connection: 'close', 'retry-after': '5' });
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'shutting_down' });
    expect((await fetch(`${http.url}/metrics`)).status).toBe(200);
  });

  it('tells load balancers to stay off while the store does not answer, and once it is to stop', async () => {
    const store: { failure?: TryItNowError } = {};
    await using http = await startHttp({
      ready: () => (store.failure === undefined ? Promise.resolve() : Promise.reject(store.failure)),
    });
    const look = async () => {
      const answer = await fetch(`${http.url}/ready`);
      return [answer.status, await answer.json()] as const;
    };
    expect(await look()).toEqual([200, { status: 'ready' }]);
    store.failure = new TryItNowError('store_unavailable', 'Valkey does not answer');
    expect(await look()).toEqual([503, expect.objectContaining({ code: 'store_unavailable' })]);
    delete store.failure;
    http.server.leave();
    expect(await look()).toEqual([503, expect.objectContaining({ code: 'shutting_down' })]);
    // Whoever comes all the same is served until the server drains.
    expect(await (await fetch(`${http.url}/health`)).json()).toEqual({ status: 'ok' });
    expect((await acquire(http)).answer.status).toBe(201);
  });

  it('closing waits for the answer under way, then cuts what outlasts the grace', async () => {
    const http = await startHttp();
    const held = new Map<string, () => void>();
    http.demos.find = (id) =>
      new Promise((_resolve, reject) =>
        held.set(id, () => {
          reject(new TryItNowError('unknown_instance', 'gone'));
        }),
      );
    const [quick, stuck] = [newInstanceId(), newInstanceId()];
    const answers = [quick, stuck].map((id) => fetch(`${http.url}/api/v1/demo/${id}`));
    await eventually(() => expect(held.size).toBe(2));
    const closed = http.server.close(300);
    held.get(quick)?.();
    expect((await answers[0])?.status).toBe(404);
    await expect(answers[1]).rejects.toThrow();
    await closed;
    await expect(fetch(`${http.url}/health`)).rejects.toThrow();
  });

  it('names a port that is taken', async () => {
    await using http = await startHttp();
    await expect(startHttp({ port: http.port })).rejects.toMatchObject({
      code: 'port_taken',
      message: expect.stringContaining(`127.0.0.1:${http.port}`) as string,
    });
  });
});

describe('observation', () => {
  it('binds its labels once a route and counts unknown addresses under one name', async () => {
    const bound: string[] = [];
    const seen: [string, number][] = [];
    await using http = await startHttp({
      observer: {
        route: (method, route) => {
          bound.push(`${method} ${route}`);
          return (status) => void seen.push([`${method} ${route}`, status]);
        },
      },
    });
    await acquire(http);
    for (const path of ['/nope', '/nope/again', `/api/v1/demo/${newInstanceId()}`])
      await (await fetch(http.url + path)).text();
    await expect
      .poll(() => seen)
      .toEqual([
        ['POST /api/v1/demo/acquire', 201],
        ['any none', 404],
        ['any none', 404],
        ['GET /api/v1/demo/:id', 404],
      ]);
    expect(new Set(bound).size).toBe(bound.length);
    expect(bound).not.toContain('GET /api/v1/demo/:id/status');
  });

  it('logs a slow request by its route', async () => {
    await using http = await startHttp({ limits: { slowMs: -1 } });
    const { answer } = await acquire(http);
    await expect
      .poll(() => http.lines().filter(({ msg }) => msg === 'Slow request'))
      .toMatchObject([
        { method: 'POST', route: '/api/v1/demo/acquire', status: 201, requestId: answer.headers.get('x-request-id') },
      ]);
  });

  it('writes no line for a request that went well', async () => {
    await using http = await startHttp();
    await acquire(http);
    await (await fetch(`${http.url}/`)).text();
    expect(http.lines()).toEqual([]);
  });
});

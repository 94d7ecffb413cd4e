import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startHttp, type RunningServer } from '../../test/support/http-server.ts';
import { sendRaw } from '../../test/support/raw-http.ts';
import { ERROR_CATALOGUE, type ErrorCode } from '../domain/errors.ts';

const ID = 'abcdefghijklmnopqrstuvwxyz';
const JSON_TYPE = { 'content-type': 'application/json' };
const post = (path: string, body: string | undefined, headers: Record<string, string> = JSON_TYPE) => ({
  method: 'POST',
  path,
  body,
  headers,
});
const acquire = (body: string | undefined, headers?: Record<string, string>) =>
  post('/api/v1/demo/acquire', body, headers);
const extend = (body: string | undefined, headers?: Record<string, string>) =>
  post(`/api/v1/demo/${ID}/extend`, body, headers);
const get = (path: string, headers: Record<string, string> = {}) => ({ method: 'GET', path, body: undefined, headers });

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly body: string | undefined;
  readonly headers: Record<string, string>;
}

const POOL_KNOWS: ReadonlySet<ErrorCode> = new Set(['unknown_template', 'unknown_instance']);

const TABLE: readonly (readonly [string, Sent, ErrorCode])[] = [
  ['JSON cut off', acquire('{"template":'), 'malformed_request'],
  ['text that is no JSON', acquire('hello'), 'malformed_request'],
  ['JSON that poisons prototypes', acquire('{"__proto__":{"template":"hello"}}'), 'malformed_request'],
  ['JSON that poisons constructors', acquire('{"constructor":{"prototype":{}}}'), 'malformed_request'],
  ['deeply nested JSON', acquire('['.repeat(8_000) + ']'.repeat(8_000)), 'invalid_request'],
  ['a body over the limit', acquire(`{"template":"${'x'.repeat(17_000)}"}`), 'body_too_large'],
  [
    'a form instead of JSON',
    acquire('template=hello', { 'content-type': 'application/x-www-form-urlencoded' }),
    'unsupported_media_type',
  ],
  ['plain text', acquire('{}', { 'content-type': 'text/plain' }), 'unsupported_media_type'],
  ['a content type that is none', acquire('{}', { 'content-type': ';;;' }), 'unsupported_media_type'],
  ['null', acquire('null'), 'invalid_request'],
  ['an array', acquire('[]'), 'invalid_request'],
  ['a number', acquire('7'), 'invalid_request'],
  ['a template that is a number', acquire('{"template":7}'), 'invalid_request'],
  ['a template that is null', acquire('{"template":null}'), 'invalid_request'],
  ['an empty template', acquire('{"template":""}'), 'invalid_request'],
  ['a template of 65 characters', acquire(`{"template":"${'x'.repeat(65)}"}`), 'invalid_request'],
  ['a member nobody knows', acquire('{"tempalte":"hello"}'), 'invalid_request'],
  ['an unknown template', acquire('{"template":"nope"}'), 'unknown_template'],
  ["a template named as an object's innards", acquire('{"template":"constructor"}'), 'unknown_template'],
  [
    'an idempotency key of 256 characters',
    acquire('{}', { ...JSON_TYPE, 'idempotency-key': 'k'.repeat(256) }),
    'invalid_request',
  ],
  ['an empty idempotency key', acquire('{}', { ...JSON_TYPE, 'idempotency-key': '' }), 'invalid_request'],
  [
    'an idempotency key with an umlaut',
    acquire('{}', { ...JSON_TYPE, 'idempotency-key': 'schlüssel' }),
    'invalid_request',
  ],
  ['an id too short', get('/api/v1/demo/abc'), 'unknown_instance'],
  ['an id in upper case', get(`/api/v1/demo/${ID.toUpperCase()}`), 'unknown_instance'],
  ['an id with a dot segment', get('/api/v1/demo/%2e%2e%2fpool'), 'unknown_instance'],
  ['an id with a NUL', get('/api/v1/demo/abc%00'), 'unknown_instance'],
  ['an id nobody has', get(`/api/v1/demo/${ID}`), 'unknown_instance'],
  ['the status of a malformed id', get('/api/v1/demo/abc/status'), 'unknown_instance'],
  ['the status of an unknown id', get(`/api/v1/demo/${ID}/status`), 'unknown_instance'],
  ['releasing a malformed id', { ...get('/api/v1/demo/abc'), method: 'DELETE' }, 'unknown_instance'],
  ['extending an unknown id', extend('{"minutes":5}'), 'unknown_instance'],
  ['extending a malformed id', post('/api/v1/demo/abc/extend', '{"minutes":5}'), 'unknown_instance'],
  ['no minutes', extend('{}'), 'invalid_request'],
  ['no body for minutes', extend(undefined, {}), 'invalid_request'],
  ['0 minutes', extend('{"minutes":0}'), 'invalid_request'],
  ['61 minutes', extend('{"minutes":61}'), 'invalid_request'],
  ['-5 minutes', extend('{"minutes":-5}'), 'invalid_request'],
  ['1.5 minutes', extend('{"minutes":1.5}'), 'invalid_request'],
  ['minutes as text', extend('{"minutes":"5"}'), 'invalid_request'],
  ['minutes as true', extend('{"minutes":true}'), 'invalid_request'],
  ['1e999 minutes', extend('{"minutes":1e999}'), 'invalid_request'],
  ['minutes and more', extend('{"minutes":5,"hours":1}'), 'invalid_request'],
  ['an address nobody serves', get('/api/v1/demos'), 'unknown_route'],
  ['a trailing slash', get('/health/'), 'unknown_route'],
  ['a percent sign that encodes nothing', get('/api/v1/demo/%zz'), 'malformed_request'],
  ['an address of 3,000 characters', get(`/api/v1/demo/${'a'.repeat(3_000)}`), 'uri_too_long'],
  ['a query of 3,000 characters', get(`/health?q=${'a'.repeat(3_000)}`), 'uri_too_long'],
  ['an address of 20,000 characters', get(`/${'a'.repeat(20_000)}`), 'uri_too_long'],
  ['headers of 20,000 characters', get('/health', { 'x-long': 'a'.repeat(20_000) }), 'headers_too_large'],
  ['a wrong method for acquire', get('/api/v1/demo/acquire'), 'method_not_allowed'],
  ['PUT on an instance', { ...extend('{}'), method: 'PUT', path: `/api/v1/demo/${ID}` }, 'method_not_allowed'],
  ['POST on /health', post('/health', '{}'), 'method_not_allowed'],
  ['PROPFIND', { ...get('/health'), method: 'PROPFIND' }, 'method_not_allowed'],
];

let http: RunningServer;
beforeAll(async () => {
  http = await startHttp();
});
afterAll(async () => {
  await http[Symbol.asyncDispose]();
});

describe('bad input', () => {
  it.each(TABLE)('%s is refused as it should be', async (_name, sent, code) => {
    const before = { instances: http.demos.instances.size, calls: http.demos.calls.length };
    const answer = await fetch(http.url + sent.path, {
      method: sent.method,
      headers: sent.headers,
      ...(sent.body === undefined ? {} : { body: sent.body }),
    });
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(await answer.json()).toMatchObject({
      code,
      status: ERROR_CATALOGUE[code].status,
      title: ERROR_CATALOGUE[code].title,
      type: `http://localhost:8080/problems/${code}`,
      request_id: answer.headers.get('x-request-id'),
    });
    expect(answer.status).toBe(ERROR_CATALOGUE[code].status);
    expect(answer.status).toBeLessThan(500);
    expect(http.demos.instances.size).toBe(before.instances);
    // Only names and ids are for the pool to know; everything else is refused before it is asked.
    if (!POOL_KNOWS.has(code)) expect(http.demos.calls.length).toBe(before.calls);
  });

  it.each([
    ['bytes that are no HTTP', '\x16\x03\x01\x02\x00\x01\x00', 'malformed_request'],
    ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'malformed_request'],
    ['a NUL in a header', 'GET /health HTTP/1.1\r\nHost: x\r\nX-A: a\0b\r\n\r\n', 'malformed_request'],
    ['a header without a name', 'GET /health HTTP/1.1\r\nHost: x\r\n: v\r\n\r\n', 'malformed_request'],
    [
      'two lengths that differ',
      'POST /health HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
      'malformed_request',
    ],
    [
      'a length beside chunks',
      'POST /api/v1/demo/acquire HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: ' +
        'chunked\r\n\r\n0\r\n\r\n',
      'malformed_request',
    ],
    [
      'a negative length',
      'POST /api/v1/demo/acquire HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
      'malformed_request',
    ],
    [
      'chunks that are none',
      'POST /api/v1/demo/acquire HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: ' +
        'chunked\r\n\r\nzz\r\n',
      'malformed_request',
    ],
    ['no Host', 'GET /health HTTP/1.1\r\nConnection: close\r\n\r\n', 'malformed_request'],
    ['a raw space in the address', 'GET /a b HTTP/1.1\r\nHost: x\r\n\r\n', 'malformed_request'],
    [
      'headers of 40,000 characters',
      `GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-A: ${'a'.repeat(40_000)}\r\n\r\n`,
      'headers_too_large',
    ],
    [
      'headers of 800,000 characters, which are not read',
      `GET /health HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(800_000)}\r\n\r\n`,
      'headers_too_large',
    ],
    [
      'an address of 40,000 characters',
      `GET /${'a'.repeat(40_000)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      'uri_too_long',
    ],
  ] as const)('%s gets a problem too', async (_name, bytes, code) => {
    const answer = await sendRaw(http.port, bytes);
    expect({ status: answer.status, code: (JSON.parse(answer.body) as { code: string }).code }).toEqual({
      status: ERROR_CATALOGUE[code].status,
      code,
    });
    expect(answer.headers).toMatchObject({
      'content-type': 'application/problem+json; charset=utf-8',
      connection: 'close',
    });
    expect(answer.headers['x-request-id']).toBe((JSON.parse(answer.body) as { request_id: string }).request_id);
  });

  it('names each wrong value by a pointer', async () => {
    const answer = await fetch(`${http.url}/api/v1/demo/${ID}/extend`, {
      method: 'POST',
      headers: JSON_TYPE,
      body: '{"minutes":61}',
    });
    expect(await answer.json()).toMatchObject({
      errors: [{ pointer: '/minutes', message: 'must be <= 60' }],
      detail: expect.stringContaining('/minutes must be <= 60') as string,
    });
  });

  it('says in Allow what an address takes', async () => {
    const allowed = async (method: string, path: string) =>
      (await fetch(http.url + path, { method })).headers.get('allow');
    expect(await allowed('GET', '/api/v1/demo/acquire')).toBe('POST');
    expect(await allowed('PATCH', `/api/v1/demo/${ID}`)).toBe('DELETE, GET, HEAD');
    expect(await allowed('DELETE', '/health')).toBe('GET, HEAD');
    expect(await allowed('GET', '/end/hello')).toBe('POST');
  });

  it('is still healthy after all of it', async () => {
    expect(await (await fetch(`${http.url}/health`)).text()).toBe('{"status":"ok"}');
  });
});

describe('a client that is too slow', () => {
  it.each([
    ['its headers', 'GET /health HTTP/1.1\r\nHost: x\r\nX-Drip: '],
    [
      'its body',
      'POST /api/v1/demo/acquire HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
    ],
  ])('with %s is cut off', async (_what, bytes) => {
    await using slow = await startHttp({
      limits: { headersTimeoutMs: 150, requestTimeoutMs: 150, timeoutCheckMs: 30 },
    });
    const answer = await sendRaw(slow.port, bytes);
    expect(answer.status).toBe(408);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'request_timeout' });
    expect(slow.demos.count('acquire')).toBe(0);
  });
});

import { afterAll, beforeAll, expect, it } from 'vitest';
import { silent } from '../../../test/support/store.ts';
import { TryItNowError } from '../../domain/errors.ts';
import type { HttpServer } from '../listener.ts';
import { createAdminServer } from './admin-server.ts';
import type { Operators } from './operators.ts';

const KEY = 'k'.repeat(40);
const FROM = '2026-12-31T22:00:00Z';
/** A time by RFC 3339, and none that a clock here can say. */
const LEAP = '2026-12-31T23:59:60Z';

const nothing = (): Promise<never> => Promise.reject(new TryItNowError('shutting_down', 'nobody is there'));
const asked: string[] = [];
let server: HttpServer;

beforeAll(async () => {
  server = await createAdminServer({
    operators: new Proxy({} as Operators, {
      get: (_, name) => () => {
        asked.push(String(name));
        return nothing();
      },
    }),
    audit: { record: () => Promise.resolve(), recent: nothing },
    log: silent,
    publicUrl: 'http://localhost:8080',
    operatorKeys: [{ key: KEY, role: 'admin' }],
    sessions: { open: nothing, find: nothing, list: nothing, end: nothing },
    sessionMs: 0,
    login: undefined,
    dashboardUrl: undefined,
    pages: undefined,
  });
});
afterAll(() => server.close(0));

it.each([
  ['/from', '/pools/tiny/events/class', { from: LEAP, to: '2027-01-01T02:00:00Z', target: 2 }],
  ['/to', '/pools/tiny/events/class', { from: FROM, to: LEAP, target: 2 }],
  ['/to', '/pools/tiny/events/class', { from: FROM, to: '2026-12-31T18:59:60-05:00', target: 2 }],
  ['/ends_at', '/previews/shop-pr-1', { from: 'shop', image: 'shop:2', ends_at: LEAP }],
])('refuses a leap second as %s of %s', async (pointer, path, payload) => {
  const answer = await server.app.inject({
    method: 'PUT',
    url: `/admin/v1${path}`,
    headers: { 'x-api-key': KEY },
    payload,
  });
  expect([answer.statusCode, answer.json()]).toMatchObject([
    400,
    { code: 'invalid_request', errors: [{ pointer, message: expect.stringContaining('leap second') as string }] },
  ]);
  expect(asked).toEqual([]);
});

import { Script } from 'node:vm';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeDemos } from '../../test/support/fake-demos.ts';
import { startHttp, type RunningServer } from '../../test/support/http-server.ts';
import { PageVisitor } from '../../test/support/page-visitor.ts';
import { readEvents } from '../../test/support/sse.ts';
import { template } from '../../test/support/templates.ts';
import { ERROR_CATALOGUE, TryItNowError, type ErrorCode } from '../domain/errors.ts';
import { NO_BRANDING } from '../presentation/branding.ts';
import { Languages } from '../presentation/languages/languages.ts';
import { loadEmbedScript } from './embed-script.ts';
import { roughSeconds } from './pages/waiting.ts';

const SITE = 'http://docs.example.org';
/** Its pages take in nothing from instances on http. */
const SECURE_SITE = 'https://blog.example.org';
const OTHER_SITE = 'https://shop.example.org';
const VISITOR = 'a'.repeat(22);
/**
 * Compressed. Pages load it for everybody, also for who never clicks: it stays well below the 14 kB that a new
 * connection sends at once. What finds a visit again when its tab or its frame is lost takes the tenth above 5 kB.
 */
const MAX_SCRIPT_BYTES = 5_500;
const SHOP = template({
  name: 'shop',
  title: 'Shop',
  frame: 'auto',
  openAllow: ['/cart'],
  allowedOrigins: [SITE, SECURE_SITE],
});
const BARE = template({ name: 'bare', title: 'Bare', frame: 'off', allowedOrigins: [OTHER_SITE] });

let http: RunningServer;
beforeEach(async () => {
  http = await startHttp({ demos: new FakeDemos([SHOP, BARE]), countdowns: { everyMs: 20 }, funnelSites: [] });
});
afterEach(() => http[Symbol.asyncDispose]());

const from = (origin: string) => ({ origin, 'sec-fetch-site': 'cross-site' });
async function post(path: string, form: Record<string, string> = { visitor: VISITOR }, headers: object = from(SITE)) {
  const answer = await fetch(http.url + path, {
    method: 'POST',
    headers: { ...headers },
    body: new URLSearchParams(form),
  });
  const text = await answer.text();
  const body = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
  return { status: answer.status, body, readers: answer.headers.get('access-control-allow-origin') };
}
const instance = () => [...http.demos.instances.values()].at(-1);

describe('the web component asks', () => {
  it('for a visit, which it may show in a frame, without any cookie', async () => {
    const { status, body, readers } = await post('/embed/shop?lang=de', { visitor: VISITOR, open: '/cart' });
    expect([status, readers]).toEqual([200, SITE]);
    expect(body).toEqual({
      state: 'ready',
      again: false,
      title: 'Shop',
      url: expect.stringMatching(/^http:\/\/localhost:8080\/visit\/[\w-]{42}\?open=%2Fcart$/) as string,
      framed: true,
      visit: expect.stringMatching(/^http:\/\/localhost:8080\/visit\/[\w-]{42}$/) as string,
      seconds_left: 60,
      expires_at: new Date(http.demos.nowMs + 60_000).toISOString(),
    });
    expect(http.demos.calls[0]?.argument).toMatchObject({
      owner: `embed:${VISITOR}`,
      site: 'docs.example.org',
      landing: 'later',
    });
    expect((await post('/embed/shop', { visitor: VISITOR, open: '/cart' })).body).toEqual({ ...body, again: true });
    expect(http.demos.instances.size).toBe(1);
  });

  it('for an app that is in no frame, or would lose its login there, and is told so', async () => {
    expect((await post('/embed/shop', { visitor: VISITOR }, from(SECURE_SITE))).body).toMatchObject({
      framed: false,
      url: expect.stringContaining('/visit/') as string,
    });
    const { body } = await post('/embed/bare', { visitor: VISITOR }, from(OTHER_SITE));
    expect(body).toMatchObject({ framed: false, url: http.demos.url(instance()?.label ?? '') });
  });

  it.each(['null', '', 'no address', 'https://', 'file://'])(
    'as who says of their origin only "%s"',
    async (origin) => {
      const { status, body } = await post('/embed/shop', { visitor: VISITOR }, { origin, 'sec-fetch-site': 'none' });
      expect([status, body]).toMatchObject([200, { state: 'ready', framed: true }]);
    },
  );

  it('whether it may listen, without listening', async () => {
    http.demos.ready.set('shop', 0);
    await post('/embed/shop');
    const answer = await fetch(`${http.url}/embed/shop/events?visitor=${VISITOR}`, { method: 'HEAD' });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8']);
  });

  it('for a place in the line, keeps it by listening, and gives it up', async () => {
    http.demos.ready.set('shop', 0);
    const waiting = { position: 1, eta_seconds: 4, reason: 'preparing', progress: 'You are next · about 4 sec' };
    const { status, body } = await post('/embed/shop');
    expect([status, body]).toEqual([202, { state: 'waiting', title: 'Shop', ...waiting }]);
    const stream = await fetch(`${http.url}/embed/shop/events?visitor=${VISITOR}&lang=de`, { headers: from(SITE) });
    expect(stream.headers.get('access-control-allow-origin')).toBe(SITE);
    const events = readEvents(stream);
    const german = { ...waiting, progress: 'Sie sind als Nächstes dran · etwa 4 Sek.' };
    expect((await events.next()).value).toEqual({ event: 'place', data: german });
    expect((await post('/embed/shop/leave')).status).toBe(204);
    expect((await events.next()).value).toMatchObject({ event: 'gone' });
    expect(http.demos.waiting.get('shop')).toEqual([]);
  });

  it('and is refused in words for its visitor', async () => {
    http.demos.failure = new TryItNowError('hourly_limit', 'enough', { retryAfterMs: 60_000 });
    const { status, body, readers } = await post('/embed/shop?lang=de');
    expect([status, readers]).toEqual([429, SITE]);
    expect(body).toMatchObject({
      code: 'hourly_limit',
      heading: 'Das war genug für eine Stunde',
      retry_after_seconds: 60,
    });
    expect(body['text']).toContain('in etwa 60 Sek. möglich');
    http.demos.failure = undefined;
    for (const visitor of ['', 'short', `${VISITOR}!`])
      expect((await post('/embed/shop', { visitor })).body).toMatchObject({ code: 'invalid_request' });
    expect((await post('/embed/shop', { visitor: VISITOR, open: '/evil' })).body['code']).toBe('landing_not_allowed');
    expect((await post('/embed/none', { visitor: VISITOR })).body['code']).toBe('foreign_origin');
    expect((await post('/embed/none', { visitor: VISITOR }, {})).body['code']).toBe('unknown_template');
    expect(http.demos.instances.size).toBe(0);
  });

  it('and is led nowhere that a dialog does not lead, whatever the failure', async () => {
    for (const code of Object.keys(ERROR_CATALOGUE) as ErrorCode[]) {
      http.demos.failure = new TryItNowError(code, 'refused');
      const { body } = await post('/embed/shop');
      expect(body).toMatchObject({ code, heading: expect.any(String) as string });
      expect(body['text']).not.toMatch(/first page|own page|below|go back/i);
    }
  });

  it('on behalf of no site that its template does not name', async () => {
    http.demos.ready.set('shop', 0);
    await post('/embed/shop');
    for (const path of ['/embed/shop', '/embed/shop/leave'])
      expect(await post(path, { visitor: VISITOR }, from(OTHER_SITE))).toMatchObject({
        status: 403,
        body: { code: 'foreign_origin' },
        readers: null,
      });
    const answer = await fetch(`${http.url}/embed/shop/events?visitor=${VISITOR}`, { headers: from(OTHER_SITE) });
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
    await answer.body?.cancel();
    expect(http.demos.waiting.get('shop')).toHaveLength(1);
  });
});

describe('an embedded visit', () => {
  const visitOf = async () => new URL(String((await post('/embed/shop')).body['visit'])).pathname;

  it('may be in a frame of the sites that the template names, its failures too, and of no other', async () => {
    const policyOf = async (path: string) =>
      (await fetch(http.url + path, { headers: { accept: 'text/html' } })).headers.get('content-security-policy');
    const visit = await visitOf();
    expect(await policyOf(`${visit}?embed=modal`)).toContain(`frame-ancestors 'self' ${SITE} ${SECURE_SITE};`);
    expect(await policyOf(`/visit/${'a'.repeat(42)}`)).toContain(
      `frame-ancestors 'self' ${SITE} ${SECURE_SITE} ${OTHER_SITE}`,
    );
    for (const path of ['/', '/try/shop', '/embed', '/wait/shop', '/nothing'])
      expect(await policyOf(path)).toContain("frame-ancestors 'none'");
  });

  it('asks again by itself where nothing of it could be had, and leads to tabs of their own', async () => {
    const visit = await visitOf();
    const failed = async (path: string) => (await fetch(http.url + path, { headers: { accept: 'text/html' } })).text();
    http.demos.failure = new TryItNowError('store_unavailable', 'down');
    const text = await failed(`${visit}?embed=modal&lang=de`);
    expect(text).toContain('<meta http-equiv="refresh" content="5"><base target="_blank">');
    expect(text).toContain('<a class="button primary" href="" target="_self">Noch einmal versuchen</a>');
    const own = await failed(visit);
    for (const part of ['<base', 'http-equiv="refresh"', 'href=""']) expect(own).not.toContain(part);
    http.demos.failure = undefined;
    await http.demos.release(instance()?.id ?? '');
    const ended = await failed(`${visit}?embed=modal`);
    expect(ended).toContain('<base target="_blank">');
    expect(ended).not.toContain('http-equiv="refresh"');
  });

  it('is governed by its token, whatever cookie of ours comes along with it', async () => {
    const visitor = new PageVisitor(http.url);
    await visitor.send('GET', '/');
    const visit = await visitOf();
    const text = await (await visitor.send('GET', `${visit}?embed=modal&lang=de`)).text();
    expect(text).toContain('data-embedded="modal"');
    expect(text).toContain('Eigener Tab');
    expect(text).not.toContain('allow-top-navigation');
    expect(text.match(/href="\/"[^>]*>/g)).toEqual([
      expect.stringContaining('target="_blank"'),
      expect.stringContaining('target="_blank"'),
    ]);
    const state = await visitor.send('GET', `${visit}/state`, { headers: from(SITE) });
    expect([state.status, state.headers.get('access-control-allow-origin')]).toEqual([200, SITE]);
    expect((await visitor.send('POST', `${visit}/end`, { headers: from(OTHER_SITE) })).status).toBe(403);
    expect(instance()?.state).toBe('assigned');
    expect((await visitor.send('POST', `${visit}/end`, { headers: from(SITE) })).status).toBe(200);
    expect(instance()?.state).toBe('releasing');
  });

  it('leaves no secret of its visitor in a log', async () => {
    http.demos.failure = new TryItNowError('store_unavailable', 'down');
    await fetch(`${http.url}/embed/shop/events?visitor=${VISITOR}`);
    expect(JSON.stringify(http.lines())).toContain('/embed/shop/events?visitor=…');
    expect(JSON.stringify(http.lines())).not.toContain(VISITOR);
  });
});

describe('the script', () => {
  it('is small, with the texts of both languages', async () => {
    const { gzipped } = await loadEmbedScript({
      publicOrigin: 'https://try.example.org',
      translators: new Languages().all,
      branding: NO_BRANDING,
    });
    expect(gzipped.length).toBeLessThan(MAX_SCRIPT_BYTES);
    const script = gunzipSync(gzipped).toString();
    expect(script).toContain('Jetzt ausprobieren');
    // A strict policy allows nothing of this.
    expect(script).not.toMatch(/innerHTML|\beval\b|\.style\b|Function\(/);
    expect(() => new Script(script)).not.toThrow();
  });

  it('may be kept for minutes by any page, and asks whether there is another', async () => {
    const answer = await fetch(`${http.url}/embed.js`, { headers: { 'accept-encoding': 'gzip' } });
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'content-encoding': 'gzip',
      'cache-control': 'public, max-age=300, stale-while-revalidate=86400',
      'access-control-allow-origin': '*',
      'cross-origin-resource-policy': 'cross-origin',
    });
    const plain = await fetch(`${http.url}/embed.js`, { headers: { 'accept-encoding': 'identity' } });
    expect([plain.headers.get('content-encoding'), await plain.text()]).toEqual([null, await answer.text()]);
    const again = await fetch(`${http.url}/embed.js`, {
      headers: { 'if-none-match': answer.headers.get('etag') ?? '' },
    });
    expect(again.status).toBe(304);
  });
});

describe('the page with the snippets', () => {
  const page = async (query = '', headers = {}) =>
    (await fetch(`${http.url}/embed${query}`, { headers: { accept: 'text/html', ...headers } })).text();

  it('has one of each kind, for the app and the mode that were chosen', async () => {
    const source = await page('?template=bare&mode=inline');
    const text = source.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>');
    expect(text).toContain('<script src="http://localhost:8080/embed.js" async></script>');
    expect(text).toContain('<try-it-now template="bare" mode="inline">');
    expect(text).toContain('[![Try Bare](http://localhost:8080/badge/bare.svg)](http://localhost:8080/try/bare)');
    expect(text).toContain('action="http://localhost:8080/try/bare" target="_blank"');
    expect(text).toContain('connect-src http://localhost:8080; frame-src http://localhost:8080');
    expect(text).toContain(`<code>${OTHER_SITE}</code>`);
    expect(text).not.toContain(`<code>${SITE}</code>`);
  });

  it('is linked from every page, takes nothing, and allows nothing inline', async () => {
    expect(await (await fetch(http.url)).text()).toContain('<a href="/embed">Embed</a>');
    const answer = await fetch(`${http.url}/embed`);
    expect(answer.headers.get('content-security-policy')).toBe(
      "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; " +
        "connect-src 'self' http://localhost:8080; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; " +
        "frame-src 'self' http://localhost:8080",
    );
    expect(http.demos.instances.size).toBe(0);
    expect(await page('', { 'accept-language': 'de' })).toContain('Auf Ihrer eigenen Website');
    expect(await page('?template=none')).toContain('There is no such app here');
  });
});

it.each([
  [0, 1],
  [3_200, 4],
  [10_000, 10],
  [10_001, 15],
  [60_000, 60],
  [61_000, 75],
])('a wait of %i ms is estimated as %i s', (ms, seconds) => {
  expect(roughSeconds(ms)).toBe(seconds);
});

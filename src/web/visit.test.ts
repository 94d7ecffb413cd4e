import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeDemos } from '../../test/support/fake-demos.ts';
import { startHttp, type RunningServer } from '../../test/support/http-server.ts';
import { PageVisitor, handedOverTo } from '../../test/support/page-visitor.ts';
import { template } from '../../test/support/templates.ts';
import { TryItNowError } from '../domain/errors.ts';
import { visitToken } from '../domain/visit-token.ts';
import { isFramed } from './way-in.ts';

const BUY = 'https://vendor.example/buy?from=demo';
const OFFERED = { file: 'work.html', mediaType: 'text/html', maxBytes: 1_000, timeoutMs: 1_000 };
const SHOP = template({
  name: 'shop',
  frame: 'auto',
  openAllow: ['/cart'],
  callToAction: { text: 'Buy it', url: BUY },
  export: { kind: 'http', path: '/export', ...OFFERED },
});

describe('a visit', () => {
  let http: RunningServer;
  let visitor: PageVisitor;
  let visit: string;

  beforeEach(async () => {
    http = await startHttp({ demos: new FakeDemos([SHOP]) });
    visitor = new PageVisitor(http.url);
    visit = (await visitor.send('POST', '/try/shop')).headers.get('location') ?? '';
  });
  afterEach(() => http[Symbol.asyncDispose]());
  const instance = () => [...http.demos.instances.values()][0];
  const asJson = { accept: 'application/json' };

  it('is where the click leads, and the page takes nothing into its frame but the instance', async () => {
    expect(visit).toMatch(/^\/visit\/[\w-]{42}$/);
    const answer = await visitor.send('GET', `${visit}?open=%2Fcart`);
    const { origin } = new URL(http.demos.url(instance()?.label ?? ''));
    expect(answer.headers.get('content-security-policy')).toContain(
      `frame-ancestors 'self'; frame-src http://localhost:8080${visit}/open ${origin}`,
    );
    const text = await answer.text();
    expect(text).toContain(`<iframe data-src="${visit}/open?open=%2Fcart"`);
    expect(text).toContain(`clipboard-write ${origin};`);
    expect(text).toContain(
      `<noscript><meta http-equiv="refresh" content="0; url=${visit}/open?open=%2Fcart"></noscript>`,
    );
  });

  it('leads who keeps no cookies straight in, by a page, since forms of ours lead nowhere else', async () => {
    const bare = new PageVisitor(http.url);
    const answer = await bare.send('GET', `${visit}?open=%2Fcart`);
    expect([answer.status, await handedOverTo(answer)]).toEqual([200, `${visit}/open?open=%2Fcart`]);
    const embedded = await bare.send('GET', visit, { headers: { 'sec-fetch-dest': 'iframe' } });
    expect(await embedded.text()).toContain('<iframe');
  });

  it('is no place for an app that no frame shows: the click, and every way back, opens it alone', async () => {
    http.demos.bare = { why: 'leaves_frames', what: '/guard.js' };
    const other = new PageVisitor(http.url);
    const click = await other.send('POST', '/try/shop?open=%2Fcart');
    const [, held] = [...http.demos.instances.values()];
    const url = http.demos.url(held?.label ?? '');
    expect([click.status, await handedOverTo(click)]).toEqual([200, `${url}cart`]);
    expect(await (await other.send('GET', '/')).text()).toContain(`href="${url}"`);
    const token = visitToken({ id: held?.id ?? '', label: held?.label ?? '', owner: held?.owner ?? '' });
    const framed = await other.send('GET', `/visit/${token}`);
    expect([framed.status, await handedOverTo(framed)]).toEqual([200, `/visit/${token}/open`]);
  });

  it('tells the time that is left, gives more, and ends, for its own visitor alone', async () => {
    const state = async (method: string, path: string, from = visitor) => {
      const answer = await from.send(method, `${visit}/${path}`, { headers: asJson });
      return [answer.status, ((await answer.json()) as { seconds_left?: number }).seconds_left];
    };
    const thief = new PageVisitor(http.url);
    await thief.send('GET', '/');
    for (const path of ['extend', 'use', 'end']) expect(await state('POST', path, thief)).toEqual([403, undefined]);
    expect(await state('GET', 'state')).toEqual([200, 60]);
    const held = instance();
    if (held !== undefined) http.demos.instances.set(held.id, { ...held, assignedAtMs: http.demos.nowMs + 3_600_000 });
    expect(await state('POST', 'extend')).toEqual([200, 960]);
    expect(await state('POST', 'use')).toEqual([200, 960]);
    expect(http.demos.count('recordUse')).toBe(1);
    expect(await state('POST', 'end')).toEqual([200, 0]);
    expect(instance()?.state).toBe('releasing');
    expect(await state('GET', 'state')).toEqual([404, undefined]);
  });

  it('is not to be had of what is not offered any more, such as an old preview, and says so', async () => {
    http.demos.failure = new TryItNowError('template_ended', 'inner words');
    const answer = await visitor.send('POST', '/try/shop');
    expect([answer.status, await answer.text()]).toEqual([410, expect.stringContaining('It is not offered any more')]);
  });

  it('is known by its browser for as long as it may last', async () => {
    const days = template({ name: 'days', ttl: { defaultMs: 3 * 86_400_000, maxMs: 5 * 86_400_000 } });
    await using server = await startHttp({ demos: new FakeDemos([SHOP, days]) });
    const guest = new PageVisitor(server.url);
    await guest.send('POST', '/try/days');
    await guest.send('GET', '/');
    const ages = guest.setCookies.map((line) => Number(/Max-Age=(\d+)/.exec(line)?.[1]));
    expect(ages).toEqual([5 * 86_400, 5 * 86_400, 5 * 86_400]);
    expect(visitor.setCookies.map((line) => /Max-Age=(\d+)/.exec(line)?.[1])).toEqual(['86400', '86400']);
  });

  it('is not told as ended to a browser whose cookies were cleared meanwhile', async () => {
    visitor.cookies.clear();
    await visitor.send('GET', '/');
    const answer = await visitor.send('GET', `${visit}/state`, { headers: asJson });
    expect([answer.status, await answer.json()]).toEqual([403, expect.objectContaining({ code: 'foreign_visit' })]);
  });

  it('says what it was ended for before its time, and to nobody else', async () => {
    const ended = async (path: string) => (await visitor.send('GET', path, { headers: asJson })).json();
    const held = instance();
    if (held === undefined) throw new Error('nobody has an instance');
    http.demos.instances.set(held.id, { ...held, state: 'releasing', reason: 'disk_limit' });
    expect(await ended(`${visit}/state`)).toMatchObject({ code: 'unknown_instance', limit: 'disk_limit' });
    expect(await ended(`/visit/${'a'.repeat(42)}/state`)).not.toHaveProperty('limit');
    for (const reason of ['unused', 'container_lost', 'drained', 'operator']) {
      http.demos.instances.set(held.id, { ...held, state: 'releasing', reason });
      expect(await ended(`${visit}/state`)).toMatchObject({ limit: reason });
    }
    for (const reason of ['expired', 'released']) {
      http.demos.instances.set(held.id, { ...held, state: 'releasing', reason });
      expect(await ended(`${visit}/state`)).not.toHaveProperty('limit');
    }
  });

  it('leads on to the vendor by way of a count, and nowhere but where the template says', async () => {
    const page = await (await visitor.send('GET', visit)).text();
    const [, link = ''] = /href="([^"]+)" target="_blank" rel="noopener">Buy it</.exec(page) ?? [];
    const follow = async (path: string, headers: Record<string, string> = {}) => {
      const answer = await visitor.send('GET', path, { headers });
      const { headers: got } = answer;
      return [answer.status, got.get('location'), got.get('referrer-policy'), http.demos.count('callToActionClicked')];
    };
    const there = [303, BUY, 'no-referrer'];
    expect(await follow(link, { 'sec-purpose': 'prefetch;prerender' })).toEqual([503, null, null, 0]);
    expect(await follow(link, { 'sec-fetch-dest': 'image' })).toEqual([...there, 0]);
    expect(await follow(link, { 'sec-fetch-dest': 'document' })).toEqual([...there, 1]);
    // Also once nothing is known of the visit any more, or nobody can say.
    expect(await follow(link.replace(visit, `/visit/${'a'.repeat(42)}`))).toEqual([...there, 2]);
    http.demos.failure = new TryItNowError('store_unavailable', 'away');
    expect(await follow(link)).toEqual([...there, 3]);
    http.demos.failure = undefined;
    expect((await follow(`${link}?url=https://evil.example&to=//evil.example`)).slice(0, 3)).toEqual(there);
    for (const name of ['hello', 'constructor', encodeURIComponent('//evil.example')])
      expect((await follow(link.replace(/shop$/, name))).slice(0, 2)).toEqual([303, '/']);
    expect((await visitor.send('HEAD', link)).status).toBe(405);
  });

  it('takes no order from another page', async () => {
    for (const site of ['cross-site', 'same-site'])
      for (const path of ['extend', 'use', 'export', 'end'])
        expect(
          (await visitor.send('POST', `${visit}/${path}`, { headers: { ...asJson, 'sec-fetch-site': site } })).status,
        ).toBe(403);
    expect(instance()?.state).toBe('assigned');
    expect(http.demos.count('exportWork')).toBe(0);
  });

  it('is taken home by its own visitor alone, from bar and start page, as a file and no page', async () => {
    const thief = new PageVisitor(http.url);
    expect(await (await thief.send('GET', '/')).text()).not.toContain('/export/shop');
    expect((await thief.send('POST', `${visit}/export`, { headers: asJson })).status).toBe(403);
    expect((await thief.send('POST', '/export/shop')).headers.get('location')).toBe('/?notice=gone');
    expect(http.demos.count('exportWork')).toBe(0);
    expect(await (await visitor.send('GET', visit)).text()).toContain(`action="${visit}/export" target="_blank"`);
    expect(await (await visitor.send('GET', '/')).text()).toContain('action="/export/shop"');
    for (const path of [`${visit}/export`, '/export/shop']) {
      const answer = await visitor.send('POST', path);
      expect([answer.status, await answer.text()]).toEqual([200, `work of ${instance()?.id ?? ''}`]);
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        'content-type': 'text/html',
        'content-disposition': 'attachment; filename="work.html"',
        'content-security-policy': "sandbox; default-src 'none'; frame-ancestors 'none'",
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
      });
    }
    expect((await visitor.send('GET', `${visit}/export`)).status).toBe(405);
  });

  it('speaks the language of its visitor', async () => {
    const text = await (await visitor.send('GET', visit, { headers: { 'accept-language': 'de' } })).text();
    expect(text).toContain('Diese Kopie teilen');
    expect(text).toContain('Noch fünf Minuten');
  });
});

it.each([
  ['https://try.example.org', 'https://a.demo.example.net/', true],
  ['http://localhost:8080', 'http://a.localhost:8000/', true],
  ['http://try.example.org', 'http://a.demo.example.org/', true],
  ['http://try.example.org', 'http://a.demo.example.net/', false],
  ['https://try.example.org', 'http://a.demo.example.org/', false],
  ['http://192.0.2.1:8080', 'http://a.demo.example.net/', false],
])('a page at %s frames %s: %s', (start, url, framed) => {
  expect(isFramed(SHOP, start, url)).toBe(framed);
  expect(isFramed({ ...SHOP, frame: 'off' }, start, url)).toBe(false);
});

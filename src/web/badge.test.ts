import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeDemos } from '../../test/support/fake-demos.ts';
import { startHttp, type RunningServer } from '../../test/support/http-server.ts';
import { template } from '../../test/support/templates.ts';

const TITLE = 'Notes & <b>"boards"</b> \u0007 of all kinds, and of many more';

describe('a badge', () => {
  let http: RunningServer;
  let nowMs = 0;
  beforeEach(async () => {
    nowMs = 0;
    http = await startHttp({
      demos: new FakeDemos([template({ name: 'hello', title: TITLE }), template({ name: 'ab.c', title: 'Other' })], 2),
      // Each look is half a second after the one before, so that it sees how things stand.
      page: { clock: { now: () => (nowMs += 500) } },
    });
  });
  afterEach(() => http[Symbol.asyncDispose]());
  const ask = async (path = '/badge/hello.svg', headers: Record<string, string> = {}) =>
    fetch(http.url + path, { headers });
  const state = async (query = '') =>
    /<title>Try Other(?:: )?(.*)<\/title>/.exec(await (await ask(`/badge/ab.c.svg${query}`)).text())?.[1];

  it('shows how things stand, and counts as no visit', async () => {
    const { demos } = http;
    expect(await state()).toBe('ready now');
    demos.ready.set('ab.c', 0);
    expect(await state()).toBe('ready in a moment');
    demos.waiting.set('ab.c', ['one', 'two']);
    expect(await state()).toBe('2 waiting');
    demos.control = { ...demos.control, mode: 'paused' };
    expect(await state()).toBe('paused');
    expect(await state('?look=static')).toBe('');
    demos.failure = new Error('the store is down');
    expect(await state()).toBe('');
    expect([demos.count('acquire'), demos.count('acquireOrWait'), demos.instances.size]).toEqual([0, 0, 0]);
  });

  it('is an image whatever the title is, which brings nothing along', async () => {
    const answer = await ask();
    expect(answer.headers.get('content-type')).toBe('image/svg+xml; charset=utf-8');
    expect(answer.headers.get('content-security-policy')).toBe("default-src 'none'; sandbox");
    expect(answer.headers.get('cross-origin-resource-policy')).toBe('cross-origin');
    const text = await answer.text();
    expect(text).toContain(
      '<title>Try Notes &amp; &lt;b&gt;&quot;boards&quot;&lt;/b&gt;   of all kinds,…: ready now</title>',
    );
    expect(text).not.toMatch(/\p{Cc}(?<!\n)/u);
  });

  it('is asked for anew each time, and sent only when it has changed', async () => {
    const first = await ask();
    expect(first.headers.get('cache-control')).toBe('no-cache, max-age=0');
    const etag = first.headers.get('etag') ?? '';
    const second = await ask('/badge/hello.svg', { 'if-none-match': `W/"x", ${etag}` });
    expect([second.status, await second.text(), second.headers.get('etag')]).toEqual([304, '', etag]);
    http.demos.ready.set('hello', 0);
    expect((await ask('/badge/hello.svg', { 'if-none-match': etag })).status).toBe(200);
    expect((await ask('/badge/hello.svg?look=static')).headers.get('cache-control')).toBe('public, max-age=86400');
  });

  it('is in the language that its address names, and no other', async () => {
    expect(await (await ask('/badge/ab.c.svg?lang=de')).text()).toContain('<title>Other ausprobieren: sofort bereit<');
    expect(await (await ask('/badge/ab.c.svg', { 'accept-language': 'de' })).text()).toContain('<title>Try Other');
  });

  it.each(['/badge/none.svg', '/badge/hello', '/badge/hello.png'])('is not at %s', async (path) => {
    expect((await ask(path)).status).toBe(404);
  });
});

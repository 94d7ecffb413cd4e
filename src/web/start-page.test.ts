import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readEvents, type SseEvent } from '../../test/support/sse.ts';
import { FakeDemos } from '../../test/support/fake-demos.ts';
import { startHttp, type RunningServer } from '../../test/support/http-server.ts';
import { PageVisitor as Visitor, handedOverTo } from '../../test/support/page-visitor.ts';
import { template } from '../../test/support/templates.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { AcquireRequest } from '../http/demos.ts';

let http: RunningServer;
let visitor: Visitor;
const open = async (options: Parameters<typeof startHttp>[0] = {}) => {
  http = await startHttp(options);
  visitor = new Visitor(http.url);
};
beforeEach(() => open());
afterEach(() => http[Symbol.asyncDispose]());
const reopen = async (options: Parameters<typeof startHttp>[0]) => {
  await http[Symbol.asyncDispose]();
  await open(options);
};
const taken = () => http.demos.instances.size;
const codeOf = async (answer: Response) => ((await answer.json()) as { code: string }).code;

describe('the start page', () => {
  it('has a strict policy that lets its forms lead back to it and nowhere else', async () => {
    const { headers } = await visitor.send('GET', '/');
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    );
    expect(Object.fromEntries(headers)).toMatchObject({
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'same-origin',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-store',
    });
  });

  it('is reached by https alone once it was, where it is offered so', async () => {
    const policy = async () => (await visitor.send('GET', '/')).headers.get('strict-transport-security');
    expect(await policy()).toBeNull();
    await reopen({ publicUrl: 'https://try.example.org' });
    expect(await policy()).toBe('max-age=15552000');
  });

  it('escapes whatever the catalogue says', async () => {
    await reopen({
      demos: new FakeDemos([
        template({ name: 'x', title: '<script>alert(1)</script>', description: '"><img src=x onerror=alert(1)>' }),
      ]),
    });
    const text = await (await visitor.send('GET', '/')).text();
    expect(text).not.toMatch(/<script>|<img src=x/);
    expect(text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  });

  it('serves its assets for good and an icon at the usual place', async () => {
    const text = await (await visitor.send('GET', '/')).text();
    const urls = [...text.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(([, url]) => url ?? '');
    expect(urls.map((url) => url.replace(/\.[0-9a-f]{12}\./, '.')).sort()).toEqual([
      '/assets/icon.svg',
      '/assets/icon.svg',
      '/assets/page.css',
      '/assets/page.js',
    ]);
    for (const url of urls) {
      const { status, headers } = await visitor.send('GET', url);
      expect([status, headers.get('cache-control')]).toEqual([200, 'public, max-age=31536000, immutable']);
    }
    expect((await visitor.send('GET', '/favicon.ico')).headers.get('content-type')).toBe('image/svg+xml');
  });

  it('speaks the language that the browser asks for, as does what follows', async () => {
    const german = { 'accept-language': 'de-AT,de;q=0.9,en;q=0.8' };
    http.demos.ready.set('hello', 0);
    const answer = await visitor.send('GET', '/', { headers: german });
    expect(answer.headers.get('vary')).toBe('Accept, Accept-Language');
    const text = await answer.text();
    expect(text).toContain('<html lang="de" dir="ltr">');
    expect(text).toContain('<em>einen Klick entfernt</em>');
    expect(text).toContain('Gehört Ihnen für 60 Sek., auf Wunsch bis zu 5 Min.');
    const asked = await visitor.send('POST', '/try/hello', { headers: { ...german, accept: 'application/json' } });
    expect(await asked.json()).toMatchObject({ progress: 'Sie sind als Nächstes dran · etwa 4 Sek.' });
    const waiting = await (await visitor.send('GET', '/wait/hello', { headers: german })).text();
    expect(waiting).toContain('data-no-connection="Gerade keine Verbindung; wir versuchen es weiter"');
    const missing = await (await visitor.send('GET', '/nothing', { headers: german })).text();
    expect(missing).toContain('<title>Hier ist nichts · Try It Now</title>');
  });

  it('weighs less than 30 kB with its style and script, and needs no script to be shown and used', async () => {
    const text = await (await visitor.send('GET', '/')).text();
    const needed = [...text.matchAll(/(?:href|src)="(\/assets\/[^"]+\.(?:css|js))"/g)].map(([, url]) => url ?? '');
    const bodies = await Promise.all(needed.map(async (url) => (await visitor.send('GET', url)).text()));
    expect(needed).toHaveLength(2);
    expect(Buffer.byteLength([text, ...bodies].join(''))).toBeLessThan(30_000);
    expect(text.match(/<script[^>]*>/g)).toEqual([expect.stringContaining('" defer>')]);
  });

  it('comes also while the store is down', async () => {
    await visitor.send('POST', '/try/hello');
    http.demos.failure = new TryItNowError('store_unavailable', 'Valkey does not answer');
    const answer = await visitor.send('GET', '/');
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain('Try it now');
  });

  it('explains every problem at the address its type names, and no other', async () => {
    const answer = await visitor.send('GET', '/problems/pool_empty');
    expect([answer.status, await answer.text()]).toEqual([
      200,
      expect.stringContaining('No instance is ready right now'),
    ]);
    expect((await visitor.send('GET', '/problems/constructor')).status).toBe(404);
  });
});

describe('a click', () => {
  it("goes to the instance and keeps what it remembers out of scripts' and other sites' reach", async () => {
    await visitor.send('GET', '/');
    const answer = await visitor.send('POST', '/try/hello');
    const [instance] = http.demos.instances.values();
    expect(await handedOverTo(answer)).toBe(http.demos.url(instance?.label ?? ''));
    expect(instance?.owner).toMatch(/^visitor:[\w-]{22}$/);
    expect(instance?.owner).not.toContain(visitor.cookies.get('try-it-now-visitor'));
    for (const line of visitor.setCookies) expect(line).toMatch(/; Path=\/; HttpOnly; SameSite=Lax$/);
  });

  it("counts against the limit of the visitor's address, with the visitor as owner", async () => {
    await visitor.send('POST', '/try/hello');
    expect(http.demos.calls.find(({ method }) => method === 'acquireOrWait')?.argument).toMatchObject({
      clientKey: '127.0.0.1',
      owner: expect.stringMatching(/^visitor:/) as string,
      idempotencyKey: 'page:hello',
    } satisfies Partial<AcquireRequest>);
  });

  it('marks its cookies for https alone, under a prefix no sibling host can forge, on a page with https', async () => {
    await reopen({ publicUrl: 'https://try.example.org' });
    await visitor.send('POST', '/try/hello');
    expect(visitor.setCookies).toHaveLength(2);
    for (const line of visitor.setCookies)
      expect(line).toMatch(/^__Host-try-it-now-(visitor|held-hello)=.*; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
  });

  it('needs no API key', async () => {
    await reopen({ apiKeys: ['secret'] });
    expect((await visitor.send('POST', '/try/hello')).status).toBe(200);
  });

  it.each([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['an instance on a sibling name', { 'sec-fetch-site': 'same-site' }],
    ['another origin, told by an older browser', { origin: 'https://evil.example' }],
    ['a sandboxed frame', { origin: 'null' }],
  ])('that came from %s does nothing', async (_name, headers) => {
    await visitor.send('POST', '/try/hello');
    const before = structuredClone([...http.demos.instances.values()]);
    for (const action of ['try', 'extend', 'end']) {
      const answer = await visitor.send('POST', `/${action}/hello`, {
        headers: { ...headers, accept: 'application/json' },
      });
      expect([answer.status, await codeOf(answer)]).toEqual([403, 'foreign_origin']);
    }
    expect([...http.demos.instances.values()]).toEqual(before);
    expect(await (await visitor.send('POST', '/try/hello', { headers })).text()).toContain(
      'That click came from another site',
    );
  });

  it('that came from a form of a site which the template names is taken; ending and extending stay ours', async () => {
    const origin = 'https://docs.example.org';
    await reopen({ demos: new FakeDemos([template({ name: 'hello', allowedOrigins: [origin] }), template()]) });
    const headers = { origin, 'sec-fetch-site': 'cross-site', accept: 'application/json' };
    expect((await visitor.send('POST', '/try/hello', { headers })).status).toBe(200);
    for (const path of ['/try/tiny', '/extend/hello', '/end/hello'])
      expect(await codeOf(await visitor.send('POST', path, { headers }))).toBe('foreign_origin');
  });

  it.each([
    [{ 'sec-fetch-site': 'same-origin' }],
    [{ 'sec-fetch-site': 'none' }],
    [{ origin: 'http://localhost:8080' }],
  ])('is taken from our own page: %j', async (headers) => {
    expect((await visitor.send('POST', '/try/hello', { headers })).status).toBe(200);
  });

  it('on a name that is on no list is told so, as a page', async () => {
    for (const [method, path] of [
      ['POST', '/try/nope'],
      ['GET', '/wait/nope'],
      ['POST', '/end/nope'],
      ['POST', '/extend/%3Cscript%3E'],
    ] as const) {
      const answer = await visitor.send(method, path);
      expect(answer.status).toBe(404);
      expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
      expect(await answer.text()).toContain('There is no such app here');
    }
  });

  it('that fails for a reason without words for visitors names its code', async () => {
    http.demos.failure = new TryItNowError('conflicting_change', 'inner words');
    const text = await (await visitor.send('POST', '/try/hello')).text();
    expect(text).toContain('That did not work');
    expect(text).toContain('<a href="/problems/conflicting_change"><code>conflicting_change</code></a>');
    expect(text).not.toContain('inner words');
  });

  it('over the limit is told when the next one is possible', async () => {
    http.demos.failure = new TryItNowError('hourly_limit', 'enough', { retryAfterMs: 1_300_000 });
    const answer = await visitor.send('POST', '/try/hello');
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '1300']);
    expect(await answer.text()).toContain('about <strong>22 min</strong>');
  });

  it("that meets an unforeseen failure gets a page with the request's number and nothing of our insides", async () => {
    http.demos.failure = new Error('innards');
    const answer = await visitor.send('POST', '/try/hello', { headers: { 'x-request-id': 'req-77' } });
    const text = await answer.text();
    expect(answer.status).toBe(500);
    expect(text).toContain('req-77');
    expect(text).not.toContain('innards');
  });
});

describe('waiting', () => {
  beforeEach(async () => {
    http.demos.ready.set('hello', 0);
    await visitor.send('GET', '/');
  });
  const supply = () => http.demos.ready.set('hello', 5);

  it('leads from the click to a page that asks again, until an instance is there', async () => {
    const click = await visitor.send('POST', '/try/hello');
    expect([click.status, click.headers.get('location')]).toEqual([303, '/wait/hello']);
    const waiting = await visitor.send('GET', '/wait/hello');
    expect([waiting.status, await waiting.text()]).toEqual([
      200,
      expect.stringContaining('<noscript><meta http-equiv="refresh" content="2"></noscript>'),
    ]);
    supply();
    const done = await visitor.send('GET', '/wait/hello');
    expect(await handedOverTo(done)).toBe(http.demos.url([...http.demos.instances.values()][0]?.label ?? ''));
    expect([...visitor.cookies.keys()].some((name) => name.includes('wait'))).toBe(false);
  });

  it('gives nothing to anyone who did not click', async () => {
    supply();
    const answer = await visitor.send('GET', '/wait/hello');
    expect([answer.status, answer.headers.get('location'), taken()]).toEqual([303, '/', 0]);
  });

  it.each([
    ['a prefetch', { 'sec-purpose': 'prefetch;prerender', 'sec-fetch-site': 'same-origin' }],
    ['an older prefetch', { purpose: 'prefetch' }],
    ['a link on another site', { 'sec-fetch-site': 'cross-site' }],
    ['a link in an instance', { 'sec-fetch-site': 'same-site' }],
  ])('takes nothing for %s', async (_name, headers) => {
    await visitor.send('POST', '/try/hello');
    supply();
    expect((await visitor.send('GET', '/wait/hello', { headers })).status).toBe(200);
    expect((await visitor.send('HEAD', '/wait/hello')).status).toBe(200);
    expect(taken()).toBe(0);
  });

  it('works without cookies by the query, but only from our own page', async () => {
    const token = /name="visitor" value="([\w-]{22})"/.exec(await (await visitor.send('GET', '/')).text())?.[1] ?? '';
    const bare = new Visitor(http.url);
    const click = await bare.send('POST', '/try/hello', { form: { visitor: token } });
    const waitUrl = click.headers.get('location') ?? '';
    expect(waitUrl).toMatch(new RegExp(`^/wait/hello\\?visitor=${token}&since=\\d{13}$`));
    bare.cookies.clear();
    supply();
    for (const headers of [{}, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'none' }])
      expect((await bare.send('GET', waitUrl, { headers })).headers.get('location')).toBe('/');
    expect(taken()).toBe(0);
    bare.cookies.clear();
    await bare.send('GET', waitUrl, { headers: { 'sec-fetch-site': 'same-origin' } });
    expect([...http.demos.instances.values()].map(({ owner }) => owner)).toEqual([`visitor:${token}`]);
  });

  it('has one place in the line, which a reload keeps and which can be given up', async () => {
    const first = new Visitor(http.url);
    await first.send('POST', '/try/hello');
    await visitor.send('POST', '/try/hello');
    for (let reload = 0; reload < 2; reload += 1)
      expect(await (await visitor.send('GET', '/wait/hello')).text()).toContain(
        'You are number 2 in the line · about 4 sec',
      );
    expect(await (await first.send('GET', '/wait/hello')).text()).toContain('You are next · about 4 sec');
    const left = await first.send('POST', '/leave/hello');
    expect([left.status, left.headers.get('location')]).toEqual([303, '/']);
    expect((await first.send('GET', '/wait/hello')).headers.get('location')).toBe('/');
    expect(await (await visitor.send('GET', '/wait/hello')).text()).toContain('You are next');
  });

  it('hears of it as it changes, and when the turn has come, but only who clicked', async () => {
    const first = new Visitor(http.url);
    await first.send('POST', '/try/hello');
    await visitor.send('POST', '/try/hello');
    const stream = await visitor.send('GET', '/wait/hello/events');
    const events = readEvents(stream);
    const told = async () => (await events.next()).value as SseEvent;
    expect(await told()).toEqual({
      event: 'place',
      data: { progress: 'You are number 2 in the line · about 4 sec' },
    });
    expect((await visitor.send('HEAD', '/wait/hello/events')).headers.get('content-type')).toContain('event-stream');
    await first.send('POST', '/leave/hello');
    expect(await told()).toEqual({ event: 'place', data: { progress: 'You are next · about 4 sec' } });
    supply();
    expect((await told()).event).toBe('turn');
    expect((await events.next()).done).toBe(true);
    const stranger = await new Visitor(http.url).send('GET', '/wait/hello/events', {
      headers: { accept: 'text/event-stream' },
    });
    expect([stranger.status, await codeOf(stranger)]).toEqual([404, 'unknown_place']);
  });

  it('says why there is none yet, and does not have anybody wait where none will come', async () => {
    const waiting = async () => (await visitor.send('GET', '/wait/hello')).text();
    const scripted = async () =>
      (await visitor.send('POST', '/try/hello', { headers: { accept: 'application/json' } })).json();
    await visitor.send('POST', '/try/hello');
    expect(await waiting()).toContain('Every warm copy was taken just now.');

    http.demos.refill = 'failing';
    expect(await waiting()).toContain('The last copies could not be started.');
    expect(await scripted()).toMatchObject({ progress: 'You are next · The last starts failed; it is tried again' });
    http.demos.refill = 'full';
    expect(await waiting()).toContain('As many copies as there is room for are in use.');
    expect(await scripted()).toMatchObject({ progress: expect.stringContaining('All copies are in use') as string });

    http.demos.refill = 'off';
    const refused = await visitor.send('GET', '/wait/hello');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2']);
    expect(await refused.text()).toContain('There are no copies of this right now');
    expect(await scripted()).toMatchObject({ code: 'pool_empty', refill: 'off' });
  });

  it("answers the page's script in JSON, and gives up after the limit", async () => {
    const clock = { skipMs: 0, now: () => Date.now() + clock.skipMs };
    const { demos } = http;
    await reopen({ demos, page: { clock, waitLimitMs: 180_000 } });
    await visitor.send('GET', '/');
    const ask = async () =>
      (await visitor.send('POST', '/try/hello', { headers: { accept: 'application/json' } })).json();
    expect(await ask()).toEqual({ state: 'waiting', waited_seconds: 0, progress: 'You are next · about 4 sec' });
    demos.etaMs = undefined;
    expect(await ask()).toMatchObject({ progress: 'You are next · One copy is being prepared' });
    [clock.skipMs, demos.waitedMs] = [20_000, 20_000];
    expect(await ask()).toMatchObject({
      state: 'waiting',
      waited_seconds: expect.toSatisfy((seconds: number) => seconds >= 20) as number,
    });
    [clock.skipMs, demos.waitedMs] = [200_000, 200_000];
    expect(await ask()).toEqual({ state: 'gave_up' });
    expect(demos.waiting.get('hello')).toEqual([]);
    expect(await (await visitor.send('GET', '/wait/hello')).text()).toContain('This takes longer than it should');
    supply();
    const url = expect.stringContaining('.localhost') as string;
    expect(await ask()).toEqual({ state: 'ready', again: false, url });
    expect(await ask()).toEqual({ state: 'ready', again: true, url });
  });
});

describe("an instance of one's own", () => {
  it('is shown, kept longer and ended by its visitor alone', async () => {
    await visitor.send('POST', '/try/hello');
    const [id = ''] = http.demos.instances.keys();
    const thief = new Visitor(http.url);
    await thief.send('GET', '/');
    thief.cookies.set('try-it-now-held-hello', id);
    expect(await (await thief.send('GET', '/')).text()).not.toContain('Open yours');
    expect((await thief.send('POST', '/extend/hello')).headers.get('location')).toBe('/?notice=gone');
    expect((await thief.send('POST', '/end/hello')).headers.get('location')).toBe('/?notice=gone');
    expect(http.demos.instances.get(id)).toMatchObject({ state: 'assigned', generation: 2 });

    expect(await (await visitor.send('GET', '/')).text()).toContain('Open yours');
    expect((await visitor.send('POST', '/end/hello')).headers.get('location')).toBe('/?notice=ended');
    expect(http.demos.instances.get(id)?.state).toBe('releasing');
    expect(await (await visitor.send('GET', '/')).text()).not.toContain('Open yours');
  });

  it('survives garbage in its cookie', async () => {
    await visitor.send('GET', '/');
    visitor.cookies.set('try-it-now-held-hello', '../../x');
    visitor.cookies.set('try-it-now-wait-hello', 'soon');
    visitor.cookies.set('try-it-now-visitor', '%00');
    expect((await visitor.send('GET', '/')).status).toBe(200);
    expect((await visitor.send('POST', '/try/hello')).status).toBe(200);
  });
});

describe('while operators hand nothing out', () => {
  const pause = (reason: string | undefined, deadlineMs?: number) => {
    http.demos.control = {
      mode: deadlineMs === undefined ? 'paused' : 'draining',
      sinceMs: Date.now(),
      deadlineMs,
      ...{ reason, target: undefined, targetUntilMs: undefined },
    };
  };

  it('the page says so in place of the button, with their reason as text', async () => {
    pause('<b>Back</b> at "three"');
    const text = await (await visitor.send('GET', '/')).text();
    expect(text).toContain('No copies are handed out for the moment.');
    expect(text).toContain('<q>&lt;b&gt;Back&lt;/b&gt; at &quot;three&quot;</q>');
    expect(text).not.toContain('action="/try/hello"');
  });

  it("a click is refused with the reason and when to come again; the waiting page's script gets the code", async () => {
    pause('Back & soon');
    const click = await visitor.send('POST', '/try/hello');
    expect([click.status, click.headers.get('retry-after'), await click.text()]).toEqual([
      503,
      '30',
      expect.stringMatching(/Taking a break.*<q>Back &amp; soon<\/q>/s),
    ]);
    expect(
      await (await visitor.send('POST', '/try/hello', { headers: { accept: 'application/json' } })).json(),
    ).toMatchObject({ code: 'pool_paused' });
  });

  it('who has one keeps it, and is told when it ends at the latest', async () => {
    await visitor.send('POST', '/try/hello');
    pause(undefined, Date.now() + 20_000);
    const text = await (await visitor.send('GET', '/')).text();
    expect(text).toContain('Open yours');
    expect(text).toContain('Yours ends in 20 sec at the latest.');
    expect(text).toContain('data-seconds-left="20"');
    expect(text).not.toContain('The operators say');
  });
});

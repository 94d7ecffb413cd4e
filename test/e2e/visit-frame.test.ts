import type { RequestListener } from 'node:http';
import type { Browser, BrowserContext, BrowserContextOptions, Download, FrameLocator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { en } from '../../src/presentation/languages/en.ts';
import { Languages } from '../../src/presentation/languages/languages.ts';
import { TryItNowError } from '../../src/domain/errors.ts';
import type { Template } from '../../src/domain/template.ts';
import { launchPrivateChromium, whyWithoutChromium } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { FakeDemos } from '../support/fake-demos.ts';
import { startHttp, type RunningServer } from '../support/http-server.ts';
import { get, startProxyWorld, startUpstream, type ProxyWorld, type Upstream } from '../support/proxy.ts';
import { silent } from '../support/store.ts';
import { template } from '../support/templates.ts';

const TTL = { defaultMs: 1_800_000, maxMs: 2_700_000 };
const SHOP = template({
  name: 'shop',
  title: 'Shop',
  ttl: TTL,
  frame: 'auto',
  openAllow: ['/cart'],
  activation: { kind: 'http', path: '/activate', timeoutMs: 1_000 },
  export: { kind: 'http', path: '/export', file: 'shop.zip', mediaType: 'application/zip', maxBytes: 1, timeoutMs: 1 },
  callToAction: { text: 'Buy it', url: 'https://vendor.example/buy?from=demo' },
});
const LOGIN = '/login?token=secret&to={open}';

/** Refuses every frame, and signs in whoever has the token. */
const app: RequestListener = (request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://app.invalid');
  response.setHeader('x-frame-options', 'DENY');
  response.setHeader('content-security-policy', "frame-ancestors 'none'; object-src 'none'");
  if (pathname === '/login') {
    response.setHeader('set-cookie', 'session=one; Path=/; HttpOnly; SameSite=Lax');
    response.writeHead(302, { location: searchParams.get('to') ?? '/' }).end();
  } else if (pathname === '/file') {
    response.writeHead(200, { 'content-disposition': 'attachment; filename="file.txt"' }).end('file');
  } else if (pathname === '/sign-in') {
    response.writeHead(302, { location: 'http://127.0.0.1:9/sign-in' }).end();
  } else {
    const who = request.headers.cookie?.includes('session=one') === true ? 'signed in' : 'a stranger';
    response.setHeader('content-type', 'text/html').end(`<title>app</title><h1>${who} at ${pathname}</h1>
<a href="/file">file</a><a href="/sign-in">sign in</a>
<button onclick="document.documentElement.requestFullscreen()">full</button>
<script>new WebSocket(location.origin.replace('http', 'ws')).onopen = ({ target }) => {
  target.onmessage = ({ data }) => document.body.append(data);
  target.send('echoed');
};</script>`);
  }
};

const why = whyWithoutChromium('the visit frame');

describe.skipIf(why !== undefined)(`the visit frame${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  const outer = new Releasers();
  let browser: Browser;
  let world: ProxyWorld;
  let upstream: Upstream;
  let startPort: number;
  let http: RunningServer;
  let context: BrowserContext;
  let page: Page;

  beforeAll(async () => {
    startPort = await freePort();
    world = await startProxyWorld(outer, { publicUrl: `http://localhost:${startPort}` });
    upstream = await startUpstream(outer, app);
    await world.names.publish(upstream.label, upstream.port);
    browser = await launchPrivateChromium();
    outer.push('browser', () => browser.close());
  });
  afterAll(() => outer.releaseAll(silent));

  async function serve(shop: Template): Promise<void> {
    const demos = new FakeDemos([shop]);
    demos.newLabel = () => upstream.label;
    demos.urlOf = (label) => `http://${label}.localhost:${world.proxyPort}/`;
    http = await startHttp({ demos, port: startPort, publicUrl: `http://localhost:${startPort}` });
  }
  beforeEach(() => serve(SHOP));
  afterEach(async () => {
    await context.close();
    await http[Symbol.asyncDispose]();
  });

  const instance = () => [...http.demos.instances.values()][0];
  const signsIn = () => {
    const { demos } = http;
    const enter = demos.enter.bind(demos);
    let given = false;
    demos.enter = (view, open) => {
      if (!given) demos.landings.set(view.instance.id, LOGIN);
      given = true;
      return enter(view, open);
    };
  };

  async function click(options: BrowserContextOptions = {}, path = '/try/shop', ahead = ''): Promise<FrameLocator> {
    context = await browser.newContext({ viewport: { width: 1_280, height: 800 }, ...options });
    page = await context.newPage();
    await page.addInitScript(ahead);
    await page.goto(`http://localhost:${startPort}${path}`);
    await page.getByRole('button', { name: 'Try it now: Shop' }).click();
    return page.frameLocator('iframe');
  }

  const looks = (seen: () => Promise<void>) =>
    eventually(async () => {
      await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
      await seen();
    });

  it('goes on, and says so, where its browser became another visitor meanwhile', async () => {
    const frame = await click();
    await frame.getByRole('heading').waitFor();
    await context.clearCookies();
    await (await context.newPage()).goto(`http://localhost:${startPort}/`);
    await page.bringToFront();
    await page.getByRole('button', { name: en['visit.extend_label'].replace('{time}', '15 minutes') }).click();
    await page.getByText(en['visit.foreign']).waitFor();
    expect(await frame.getByRole('heading').isVisible()).toBe(true);
  });

  it('opens the app alone where the page was reached by another name, which no instance lets frame it', async () => {
    await (await click()).getByRole('heading').waitFor();
    await context.close();
    context = await browser.newContext();
    page = await context.newPage();
    await page.goto(`http://127.0.0.1:${startPort}/try/shop`);
    await page.getByRole('button', { name: 'Try it now: Shop' }).click();
    await page.getByRole('heading', { name: 'a stranger at /' }).waitFor();
    expect(new URL(page.url()).host).toBe(`${upstream.label}.localhost:${world.proxyPort}`);
  });

  it('shows an app that refuses frames below the bar, signed in where the link asks', async () => {
    signsIn();
    const frame = await click({}, '/try/shop?open=/cart');
    await frame.getByRole('heading', { name: 'signed in at /cart' }).waitFor();
    await frame.getByText('echoed').waitFor();
    expect(page.url()).toMatch(/\/visit\/[\w-]{42}\?open=%2Fcart$/);
    expect(page.frames()[1]?.url()).toBe(`http://${upstream.label}.localhost:${world.proxyPort}/cart`);
    const [download] = await Promise.all([page.waitForEvent('download'), frame.getByText('file').click()]);
    expect(download.suggestedFilename()).toBe('file.txt');
    await frame.getByRole('button', { name: 'full' }).click();
    await page.waitForFunction('document.fullscreenElement?.tagName === "IFRAME"');
    const buy = page.getByRole('link', { name: 'Buy it' });
    expect(await buy.getAttribute('href')).toMatch(/^\/visit\/[\w-]{42}\/next\/shop$/);
    // Again: the way in was used up, the cookie in the frame stays.
    await page.reload();
    await frame.getByRole('heading', { name: 'signed in at /cart' }).waitFor();
    const [tab] = await Promise.all([
      context.waitForEvent('page'),
      page.getByRole('link', { name: 'Own tab' }).click(),
    ]);
    await tab.getByRole('heading', { name: 'at /cart' }).waitFor();
  });

  it('opens an app alone that no frame shows, and offers that where its frame is led to another site', async () => {
    const frame = await click();
    const offer = page.getByRole('link', { name: 'Open it in a new tab' });
    // As one without a window does, and others with cookies of other sites blocked.
    await page.getByText('Your browser lets apps store nothing inside this page').waitFor();
    expect(await page.locator('iframe').count()).toBe(1);
    await page.getByRole('button', { name: 'Stay here' }).click();
    expect(await offer.isVisible()).toBe(false);
    await frame.getByRole('link', { name: 'sign in' }).click();
    const [tab] = await Promise.all([context.waitForEvent('page'), offer.click()]);
    await tab.getByRole('heading', { name: 'a stranger at /' }).waitFor();
    await context.close();
    http.demos.bare = { why: 'leads_elsewhere', what: 'http://127.0.0.1:9' };
    await click();
    await page.getByRole('heading', { name: 'a stranger at /' }).waitFor();
    expect(page.url()).toBe(`http://${upstream.label}.localhost:${world.proxyPort}/`);
  });

  it('goes straight in without scripts', async () => {
    signsIn();
    await click({ javaScriptEnabled: false });
    await page.getByRole('heading', { name: 'signed in at /' }).waitFor();
    expect(page.url()).toBe(`http://${upstream.label}.localhost:${world.proxyPort}/`);
  });

  it('counts down in one script of digits', async () => {
    await http[Symbol.asyncDispose]();
    const { demos } = http;
    const languages = new Languages([{ tag: 'fa', messages: en }]);
    http = await startHttp({ demos, port: startPort, publicUrl: `http://localhost:${startPort}`, page: { languages } });
    await (await click()).getByRole('heading').waitFor();
    await page.getByText(/^[\u06f0-\u06f9]{2}:[\u06f0-\u06f9]{2}$/).waitFor();
    demos.nowMs = (instance()?.deadlineMs ?? 0) - 2 * 3_600_000 - 1_000;
    await page.reload();
    await page.getByText(/^[\u06f1-\u06f2]:[\u06f0-\u06f9]{2}:[\u06f0-\u06f9]{2}$/).waitFor();
  });

  it('is not for whoever was given its address, who gets the app and governs nothing', async () => {
    await (await click()).getByRole('heading').waitFor();
    const address = page.url();
    const friend = await browser.newContext();
    const other = await friend.newPage();
    await other.goto(address);
    await other.getByRole('heading', { name: 'a stranger at /' }).waitFor();
    expect(new URL(other.url()).hostname).toBe(`${upstream.label}.localhost`);
    await other.goto(`http://localhost:${startPort}/`);
    const ending = await friend.request.post(`${address}/end`);
    expect([ending.status(), instance()?.state]).toEqual([403, 'assigned']);
    await friend.close();
  });

  it('counts down, warns once at five minutes and at one, is kept longer, and says when it is over', async () => {
    await (await click()).getByRole('heading').waitFor();
    const { demos } = http;
    const said = page.getByRole('status').first();
    const left = async (seconds: number) => {
      demos.nowMs = (instance()?.deadlineMs ?? 0) - seconds * 1_000;
      await page.reload();
    };
    await left(600);
    await page.getByText(/^(10:00|9:\d\d)$/).waitFor();
    expect(await said.textContent()).toBe('');
    expect(await page.getByRole('button', { name: 'Download your work' }).count()).toBe(1);
    await left(302);
    await page.getByText('Five minutes left').waitFor();
    await page.locator('[data-bar][data-level=soon]').waitFor();
    await left(62);
    await page.getByText('One minute left').waitFor();
    // Beside the clock now, and not among the tools alone.
    const save = page.getByRole('button', { name: 'Download your work' });
    const saving = new Promise<Download>((resolve) => context.once('download', resolve));
    await save.first().click();
    expect([(await saving).suggestedFilename(), await save.count()]).toEqual(['shop.zip', 2]);
    await page.locator('[data-bar][data-level=last]').waitFor();

    await page.getByRole('button', { name: 'Keep it 15 minutes longer' }).click();
    await page.getByText('Done: you have more time').waitFor();
    await page.locator('[data-bar][data-level=""]').waitFor();
    // By the keyboard: the bar takes another shape just now, and a click may hit where the button was.
    await page.getByRole('button', { name: 'Keep it 15 minutes longer' }).press('Enter');
    const refused = page.getByText('This copy has reached its longest stay');
    await refused.waitFor();
    const [clock, then] = [page.locator('[data-clock]'), await page.locator('[data-clock]').textContent()];
    await eventually(async () => expect(await clock.textContent()).not.toBe(then));
    expect(await refused.isVisible()).toBe(true);

    await left(2);
    demos.nowMs += 2_000;
    await page.getByRole('heading', { name: 'Your Shop has ended' }).waitFor();
    expect(await page.locator('iframe').count()).toBe(0);
    await page.getByText('What you made in it could be downloaded while it ran').waitFor();
    await eventually(async () => expect(await page.evaluate('document.activeElement.tagName')).toBe('H1'));
    await page.reload();
    await page.getByRole('heading', { name: 'This copy has ended' }).waitFor();
  });

  it('says why it is not kept longer, for as long as it takes to read that', async () => {
    await (await click()).getByRole('heading').waitFor();
    await page.clock.install();
    await page.reload();
    const refusals = [
      ['banned', en['failure.banned.heading']],
      ['foreign_origin', en['failure.foreign_origin.heading']],
      ['others_wait', en['visit.others_wait']],
      ['store_unavailable', en['visit.no_answer']],
    ] as const;
    for (const [code, words] of refusals) {
      http.demos.failure = new TryItNowError(code, 'refused');
      await page.getByRole('button', { name: 'Keep it 15 minutes longer' }).click();
      await page.getByRole('status').getByText(words).waitFor();
    }
    http.demos.failure = undefined;
    await page.clock.fastForward(15_000);
    const said = page.getByRole('status').first();
    expect(await said.textContent()).toBe(en['visit.no_answer']);
    await page.clock.fastForward(5_000);
    await eventually(async () => expect(await said.textContent()).toBe(''));
  });

  it('asks in its title whether anybody is still there, and says that it ended because nobody was', async () => {
    await http[Symbol.asyncDispose]();
    await serve({ ...SHOP, idle: { endAfterMs: 600_000, warnMs: 60_000 } });
    await (await click()).getByRole('heading').waitFor();
    const title = await page.title();
    http.demos.nowMs += 550_000;
    await looks(async () => expect(await page.title()).toContain('Are you still there?'));
    const said = page.getByRole('status').first();
    expect(await said.textContent()).toBe(en['visit.unused']);
    // They were.
    http.demos.lastUsedMs.set(instance()?.id ?? '', http.demos.nowMs);
    await looks(async () => expect([await page.title(), await said.textContent()]).toEqual([title, '']));
    http.demos.nowMs += 550_000;
    await looks(async () => expect(await page.title()).toContain('Are you still there?'));
    await page.getByRole('button', { name: 'I am still here' }).click();
    await looks(async () => expect(await page.title()).toBe(title));
    const held = instance();
    if (held === undefined) throw new Error('nobody has an instance');
    http.demos.instances.set(held.id, { ...held, state: 'releasing', reason: 'unused' });
    await looks(async () => expect(await page.getByText('nobody used it for some time').isVisible()).toBe(true));
    expect(await page.getByText('It ended early').filter({ visible: true }).count()).toBe(1);
  });

  it('puts its tools away on a phone once one is chosen, or its visitor turns to something else', async () => {
    const frame = await click({ viewport: { width: 390, height: 844 } });
    await frame.getByRole('heading').waitFor();
    const more = page.getByRole('button', { name: 'More' });
    const share = page.getByRole('button', { name: 'Share' });
    await more.click();
    await more.click();
    expect(await share.isVisible()).toBe(false);
    await more.click();
    await share.click();
    await page.getByRole('button', { name: 'Close' }).press('Enter');
    expect(await share.isVisible()).toBe(false);
    expect(await page.evaluate('document.activeElement.textContent')).toBe('More');
    await more.click();
    await share.press('Escape');
    expect(await share.isVisible()).toBe(false);
    await more.click();
    await page.mouse.click(60, 700);
    await share.waitFor({ state: 'hidden' });
    expect(await more.getAttribute('aria-expanded')).toBe('false');
  });

  describe('that is about to end, used or not,', () => {
    const said = () => page.getByRole('status').first().textContent();
    const stay = () => page.getByRole('button', { name: 'I am still here' });
    /** In seconds from now. */
    const ends = (seconds: number, unusedSeconds: number) => {
      const { demos } = http;
      demos.nowMs = (instance()?.deadlineMs ?? 0) - seconds * 1_000;
      demos.lastUsedMs.set(instance()?.id ?? '', demos.nowMs + unusedSeconds * 1_000 - 600_000);
    };
    beforeEach(async () => {
      await http[Symbol.asyncDispose]();
      await serve({ ...SHOP, idle: { endAfterMs: 600_000, warnMs: 60_000 } });
      await (await click()).getByRole('heading').waitFor();
    });

    it('warns of the one end once it has asked about the other', async () => {
      await page.clock.install();
      await page.reload();
      ends(302, 45);
      await looks(async () => expect(await said()).toBe(en['visit.unused']));
      ends(299, 42);
      await looks(() => page.locator('[data-bar][data-level=soon]').waitFor({ timeout: 100 }));
      expect(await said()).toBe(en['visit.unused']);
      await stay().click();
      await page.getByText(en['visit.stays']).waitFor();
      await page.clock.fastForward(6_000);
      await eventually(async () => expect(await said()).toBe(en['visit.five_minutes']));
      ends(290, 42);
      await looks(async () => expect(await said()).toBe(en['visit.unused']));
      ends(289, 600);
      await looks(async () => expect(await said()).toBe(en['visit.five_minutes']));
    });

    it('does not ask where it ends before that', async () => {
      const title = await page.title();
      ends(50, 59);
      await looks(() => page.locator('[data-bar][data-level=last]').waitFor({ timeout: 100 }));
      expect([await said(), await stay().isVisible(), await page.title()]).toEqual(['One minute left', false, title]);
    });
  });

  it.each([320, 390, 768, 1_024])('asks whether anybody is still there on a screen of %i', async (width) => {
    await http[Symbol.asyncDispose]();
    await serve({ ...SHOP, idle: { endAfterMs: 600_000, warnMs: 60_000 } });
    await (await click({ viewport: { width, height: 844 } })).getByRole('heading').waitFor();
    http.demos.lastUsedMs.set(instance()?.id ?? '', http.demos.nowMs + 950_000);
    // Five minutes are left of the visit as well.
    http.demos.nowMs += 1_505_000;
    await eventually(async () => {
      await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
      expect(await page.getByRole('button', { name: 'I am still here' }).isVisible()).toBe(true);
    });
    expect(await page.getByRole('status').first().textContent()).toBe(en['visit.unused']);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    for (const button of await page.getByRole('button').all()) {
      const { x = -1, width: wide = 0 } = (await button.boundingBox()) ?? {};
      expect([x >= 0, x + wide <= width]).toEqual([true, true]);
    }
  });

  it('shares the plain address and ends when asked to, after a question', async () => {
    await (await click({ permissions: ['clipboard-read', 'clipboard-write'] })).getByRole('heading').waitFor();
    await page.getByRole('button', { name: 'Share' }).click();
    await page.getByRole('button', { name: 'Copy the address' }).click();
    await page.getByText('Copied').waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(http.demos.url(upstream.label));
    await page.getByRole('button', { name: 'Close' }).click();
    // Who presses Enter twice loses nothing.
    await page.getByRole('button', { name: 'End', exact: true }).press('Enter');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'End this copy?' }).waitFor({ state: 'hidden' });
    expect(instance()?.state).toBe('assigned');
    await page.getByRole('button', { name: 'End', exact: true }).click();
    await page.getByRole('button', { name: 'End it' }).click();
    await page.getByRole('heading', { name: 'Your Shop has ended' }).waitFor();
    await eventually(() => expect(instance()?.state).toBe('releasing'));
    await page.getByRole('button', { name: 'Start another' }).click();
    await eventually(() => expect([...http.demos.instances.values()].at(-1)?.state).toBe('assigned'));
  });

  it('has the address copied by hand where the browser gives no script the clipboard, as over plain http', async () => {
    const frame = await click({}, '/try/shop', "Object.defineProperty(navigator, 'clipboard', { value: undefined })");
    await frame.getByRole('heading').waitFor();
    await page.getByRole('button', { name: 'Share' }).click();
    await page.getByRole('button', { name: 'Copy the address' }).click();
    await page.getByText('the address is selected, copy it yourself').waitFor();
    const selected = 'getSelection().toString() || document.activeElement.value';
    expect(await page.evaluate(selected)).toBe(http.demos.url(upstream.label));
  });

  it('lets no other site frame the app, and marks cookies for frames alone', async () => {
    context = await browser.newContext();
    const host = `${upstream.label}.localhost`;
    const bare = await get(world.proxyPort, host);
    expect(bare.headers['x-frame-options']).toBeUndefined();
    expect(String(bare.headers['content-security-policy'])).toBe(
      `frame-ancestors http://localhost:${startPort}; object-src 'none', ` +
        `frame-ancestors 'self' http://localhost:${startPort}`,
    );
    const cookieOf = async (headers: Record<string, string>) =>
      String((await get(world.proxyPort, host, headers, '/login')).headers['set-cookie']);
    expect(await cookieOf({})).toBe('session=one; Path=/; HttpOnly; SameSite=Lax');
    expect(await cookieOf({ 'sec-fetch-dest': 'document' })).toBe('session=one; Path=/; HttpOnly; SameSite=Lax');
    for (const framed of [{ 'sec-fetch-dest': 'iframe' }, { 'sec-fetch-storage-access': 'none' }])
      expect(await cookieOf(framed)).toBe('session=one; Path=/; HttpOnly; Secure; SameSite=None; Partitioned');
  });
});

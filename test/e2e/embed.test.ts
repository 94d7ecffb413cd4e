import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, BrowserContext, BrowserContextOptions, FrameLocator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TryItNowError } from '../../src/domain/errors.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { axeViolations } from '../support/axe.ts';
import { de } from '../../src/presentation/languages/de.ts';
import { en } from '../../src/presentation/languages/en.ts';
import { Languages } from '../../src/presentation/languages/languages.ts';
import { launchChromium, newPageWithoutForeignCookies, whyWithoutChromium } from '../support/chromium.ts';
import { eventually } from '../support/eventually.ts';
import { FakeDemos } from '../support/fake-demos.ts';
import { startHttp, type RunningServer } from '../support/http-server.ts';
import { startProxyWorld, startUpstream, type ProxyWorld, type Upstream } from '../support/proxy.ts';
import { silent } from '../support/store.ts';
import { template } from '../support/templates.ts';

const SHOTS = process.env['SHOTS'];
const PHONE = { width: 390, height: 844 };
const LOGIN = '/login?to={open}';

/** Refuses every frame, and knows whoever has come by its way in as long as the browser keeps its cookie. */
const app: RequestListener = (request, response) => {
  const { pathname } = new URL(request.url ?? '/', 'http://app.invalid');
  response.setHeader('x-frame-options', 'DENY');
  response.setHeader('content-security-policy', "frame-ancestors 'none'");
  if (pathname === '/login') {
    response.setHeader('set-cookie', 'session=one; Path=/; HttpOnly; SameSite=Lax');
    response.writeHead(302, { location: '/' }).end();
    return;
  }
  const who = request.headers.cookie?.includes('session=one') === true ? 'signed in' : 'a stranger';
  response.setHeader('content-type', 'text/html').end(`<title>app</title><h1>${who} at ${pathname}</h1>
<a href="/next">next</a> <a href="https://evil.invalid/" target="_top">away</a>`);
};

const why = whyWithoutChromium('the web component');

describe.skipIf(why !== undefined)(`the web component${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  const outer = new Releasers();
  let browser: Browser;
  let world: ProxyWorld;
  let upstream: Upstream;
  let startPort: number;
  /** Another site: 127.0.0.1, while all of ours is below localhost. */
  let site: Server;
  let siteUrl: string;
  let shown = { body: '', policy: '' };
  let http: RunningServer;
  let context: BrowserContext;
  let page: Page;
  /** What a policy has stopped. */
  let blocked: string[];

  beforeAll(async () => {
    startPort = await freePort();
    site = createServer((request, response) => {
      if (request.url === '/cookie') {
        response
          .setHeader('set-cookie', 'plain=1; Secure; SameSite=None')
          .writeHead(303, { location: '/cookies' })
          .end();
        return;
      }
      if (request.url === '/cookies') {
        response.end(`cookies: ${request.headers.cookie ?? 'none'}`);
        return;
      }
      if (shown.policy !== '') response.setHeader('content-security-policy', shown.policy);
      response.setHeader('content-type', 'text/html; charset=utf-8')
        .end(`<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Docs</title><main>${shown.body}</main></html>`);
    });
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    siteUrl = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
    outer.push('site', async () => {
      site.closeAllConnections();
      await new Promise((resolve) => site.close(resolve));
    });
    world = await startProxyWorld(outer, { publicUrl: start(), allowedOrigins: [siteUrl] });
    upstream = await startUpstream(outer, app);
    await world.names.publish(upstream.label, upstream.port);
    browser = await launchChromium();
    outer.push('browser', () => browser.close());
  });
  afterAll(() => outer.releaseAll(silent));

  beforeEach(async () => {
    const activation = { kind: 'http', path: '/activate', timeoutMs: 1_000 } as const;
    const ttl = { defaultMs: 1_800_000, maxMs: 2_700_000 };
    const may = { openAllow: ['/cart'], allowedOrigins: [siteUrl] };
    const shop = template({ name: 'shop', title: 'Shop', ttl, frame: 'auto', activation, ...may });
    const demos = new FakeDemos([
      shop,
      { ...shop, name: 'bare', title: 'Bare', frame: 'off' },
      { ...shop, name: 'other' },
    ]);
    demos.newLabel = () => upstream.label;
    demos.urlOf = (label) => `http://${label}.localhost:${world.proxyPort}/`;
    const enter = demos.enter.bind(demos);
    let given = false;
    demos.enter = (view, open) => {
      if (!given) demos.landings.set(view.instance.id, LOGIN);
      given = true;
      return enter(view, open);
    };
    shown = { body: '', policy: '' };
    http = await startHttp({ demos, port: startPort, publicUrl: start() });
  });
  afterEach(async () => {
    await context.close();
    await http[Symbol.asyncDispose]();
  });

  const start = () => `http://localhost:${startPort}`;
  const instance = () => [...http.demos.instances.values()].at(-1);
  const bar = (): FrameLocator => page.frameLocator('iframe');
  const inApp = (): FrameLocator => bar().frameLocator('iframe');
  const shot = async (name: string) => {
    if (SHOTS !== undefined) await page.screenshot({ path: `${SHOTS}/${name}.png` });
  };
  const events = async () => JSON.parse(await page.evaluate<string>('JSON.stringify(events)')) as unknown[][];

  /** Opens the page of the other site with a button for `attributes`. */
  async function open(attributes = 'template="shop"', options: BrowserContextOptions = {}, policy = ''): Promise<void> {
    const script = `for (const name of ['ready', 'queue', 'ending', 'ended', 'error'])
  document.querySelector('try-it-now').addEventListener(name, ({ detail }) => (events ??= []).push([name, detail]));`;
    shown = {
      policy,
      body: `<h1>Docs of the shop</h1><p>Have a look:</p><try-it-now ${attributes}></try-it-now>
<script nonce="n">var events = []; ${script}</script><script src="${start()}/embed.js" async></script>`,
    };
    context = await browser.newContext({ viewport: { width: 1_280, height: 800 }, ...options });
    page = await newPageWithoutForeignCookies(context);
    blocked = [];
    page.on('console', (message) => {
      if (/Content Security Policy|Trusted/.test(message.text())) blocked.push(message.text());
    });
    await page.goto(siteUrl);
  }
  const click = () => page.getByRole('button', { name: 'Try it now' }).click();

  it('opens a visit above the page, signed in, with third-party cookies blocked, under a strict policy', async () => {
    const own = start();
    const policy = `default-src 'none'; script-src 'nonce-n' ${own}; connect-src ${own}; frame-src ${own}; \
require-trusted-types-for 'script'; base-uri 'none'; form-action 'none'`;
    await open('template="shop"', {}, policy);
    await shot('button');
    await click();
    await inApp().getByRole('heading', { name: 'signed in at /' }).waitFor();
    await inApp().getByRole('link', { name: 'next' }).click();
    await inApp().getByRole('heading', { name: 'signed in at /next' }).waitFor();
    await shot('modal');
    expect(blocked).toEqual([]);
    await eventually(async () =>
      expect(await events()).toEqual([
        ['ready', expect.objectContaining({ template: 'shop', framed: true, secondsLeft: 1_800 })],
      ]),
    );
    // The app leads its visitor nowhere else, and goes on while it is out of sight.
    await inApp().getByRole('link', { name: 'away' }).click();
    await page.getByRole('button', { name: 'Close' }).press('Escape');
    await eventually(async () => expect(await page.getByRole('dialog').count()).toBe(0));
    expect(page.url()).toBe(`${siteUrl}/`);
    await page.getByRole('button', { name: 'Open yours' }).click();
    await inApp().getByRole('heading', { name: 'signed in at /next' }).waitFor();
  });

  it('shows the visit in the page, warns, says when it is over, and starts another there', async () => {
    await open('template="shop" mode="inline" lang="de"');
    await page.getByRole('button', { name: 'Jetzt ausprobieren' }).click();
    await inApp().getByRole('heading').waitFor();
    await bar().getByText('Restzeit').waitFor();
    await shot('inline');
    const { demos } = http;
    demos.nowMs = (instance()?.deadlineMs ?? 0) - 50_000;
    // The bar may not have heard of it before its script ran, nor look twice at a time.
    await eventually(async () => {
      await page.frames()[1]?.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
      expect(await bar().getByText('Endet bald').count()).toBe(1);
    });
    await bar().getByRole('button', { name: 'Beenden' }).click();
    await bar().getByRole('button', { name: 'Ja, beenden' }).click();
    await bar().getByRole('heading', { name: 'Ihre Kopie von Shop ist beendet' }).waitFor();
    await shot('ended');
    await bar().getByRole('button', { name: 'Noch eine starten' }).click();
    await inApp().getByRole('heading').waitFor();
    await eventually(async () =>
      expect((await events()).map(([name]) => name)).toEqual(['ready', 'ending', 'ended', 'ready']),
    );
    expect(demos.instances.size).toBe(2);
    await page.evaluate("document.querySelector('try-it-now').end()");
    await page.getByText('Diese Kopie ist beendet').waitFor();
    await eventually(() => expect(instance()?.state).toBe('releasing'));
  });

  it('waits in line on a phone, tells the place, is served in turn, and gives up when it is told to', async () => {
    http.demos.ready.set('shop', 0);
    http.demos.waiting.set('shop', ['somebody']);
    await open('template="shop"', { viewport: PHONE, hasTouch: true, isMobile: true });
    await click();
    await page.getByText('You are number 2 in the line · about 4 sec').waitFor();
    expect(await axeViolations(page)).toEqual([]);
    await shot('waiting-phone');
    await page.getByRole('button', { name: 'Stop waiting' }).click();
    await eventually(() => expect(http.demos.waiting.get('shop')).toEqual(['somebody']));
    await click();
    await page.getByText('You are number 2').waitFor();
    http.demos.waiting.get('shop')?.shift();
    await page.getByText('You are next').waitFor();
    http.demos.ready.set('shop', 1);
    await inApp().getByRole('heading').waitFor();
    await shot('modal-phone');
    await eventually(async () =>
      expect(await events()).toEqual([
        ['queue', { template: 'shop', position: 2, etaSeconds: 4, reason: 'preparing' }],
        ['queue', { template: 'shop', position: 2, etaSeconds: 4, reason: 'preparing' }],
        ['queue', { template: 'shop', position: 1, etaSeconds: 4, reason: 'preparing' }],
        ['ready', expect.anything()],
      ]),
    );
  });

  it('opens an app without a frame in a tab of its own, and hears of its end', async () => {
    await open('template="bare"');
    const [tab] = await Promise.all([context.waitForEvent('page'), click()]);
    await tab.getByRole('heading', { name: 'signed in at /' }).waitFor();
    await page.getByRole('link', { name: 'Open it in a new tab' }).waitFor();
    await shot('tab');
    await page.evaluate("document.querySelector('try-it-now').end()");
    await page.getByText('This copy has ended').waitFor();
    await eventually(async () => expect((await events()).map(([name]) => name)).toEqual(['ready', 'ended']));
    await eventually(() => expect(instance()?.state).toBe('releasing'));
  });

  it('says why there is none, in words', async () => {
    http.demos.control = { ...http.demos.control, mode: 'paused' };
    await open('template="shop"', { colorScheme: 'dark' });
    await click();
    await page.getByText('Taking a break').waitFor();
    await shot('refused');
    http.demos.control = { ...http.demos.control, mode: 'open' };
    await page.getByRole('button', { name: 'Try again' }).click();
    await inApp().getByRole('heading').waitFor();
    await eventually(async () =>
      expect((await events()).map(([name, detail]) => [name, (detail as { code?: string }).code])).toEqual([
        ['error', 'pool_paused'],
        ['ready', undefined],
      ]),
    );
  });

  it('takes its attributes as React and Vue set them: as a property of that name where it has one', async () => {
    await open();
    const failed = await page.evaluate(`(() => {
      'use strict';
      const made = document.createElement('try-it-now');
      const given = { template: 'shop', mode: 'inline', label: 'Have a go', open: '/cart', lang: 'de' };
      for (const name of made.constructor.observedAttributes)
        if (name in made) made[name] = given[name];
        else made.setAttribute(name, given[name]);
      document.body.append(made);
      return Object.keys(given).filter((name) => made.getAttribute(name) !== given[name]);
    })()`);
    expect(failed).toEqual([]);
    await page.getByRole('button', { name: 'Have a go' }).click();
    await bar().getByText('Restzeit').waitFor();
  });

  it('shows the button of another app once that is its template, and gives up the place it had', async () => {
    http.demos.ready.set('shop', 0);
    await open();
    await click();
    await page.getByText('You are next').waitFor();
    const element = "document.querySelector('try-it-now')";
    const become = (name: string) => page.evaluate(`${element}.setAttribute('template', '${name}')`);
    await become('shop');
    expect(await page.getByRole('dialog').count()).toBe(1);
    await become('other');
    expect(await page.getByRole('dialog').count()).toBe(0);
    await eventually(() => expect(http.demos.waiting.get('shop')).toEqual([]));
    await click();
    await inApp().getByRole('heading').waitFor();
    expect(instance()?.template).toBe('other');
    await become('shop');
    await click();
    await page.getByText('You are next').waitFor();
    expect((await events()).map(([name, detail]) => [name, (detail as { template: string }).template])).toEqual([
      ['queue', 'shop'],
      ['ready', 'other'],
      ['queue', 'shop'],
    ]);
  });

  it('speaks the language that the server speaks to it', async () => {
    await http[Symbol.asyncDispose]();
    const { demos } = http;
    const languages = new Languages([
      { tag: 'en', messages: en },
      { tag: 'pt-BR', messages: de },
    ]);
    http = await startHttp({ demos, port: startPort, publicUrl: start(), page: { languages } });
    demos.ready.set('shop', 0);
    for (const lang of ['pt', 'pt-BR', 'pt-br-x-any']) {
      await open(`template="shop" lang="${lang}"`);
      await page.getByRole('button', { name: 'Jetzt ausprobieren' }).click();
      await page.getByText('Sie sind als Nächstes dran').waitFor();
      await context.close();
      demos.waiting.clear();
    }
    await open('template="shop" lang="pt-PT"');
    await click();
    await page.getByText('You are').waitFor();
  });

  it('says so where the wait has become too long, and begins another when it is told to', async () => {
    const { demos } = http;
    demos.ready.set('shop', 0);
    await open();
    await click();
    await page.getByText('You are next').waitFor();
    demos.waitedMs = 31 * 60_000;
    // Its place is gone, so it asks before it would by itself.
    demos.waiting.set('shop', []);
    await page.getByText('This takes longer than it should').waitFor();
    expect(demos.waiting.get('shop')).toEqual([]);
    await page.reload();
    await click();
    await page.getByText('This takes longer than it should').waitFor();
    const error = { code: 'gave_up', message: expect.stringContaining('31 minutes') as string, retryable: true };
    expect(await events()).toEqual([['error', { template: 'shop', ...error }]]);
    demos.waitedMs = 1_000;
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('You are next').waitFor();
  });

  it('asks no more than once a second while it is told that its turn has come and gets none', async () => {
    const { demos } = http;
    demos.ready.set('shop', 0);
    const places = demos.places.bind(demos);
    demos.places = async (name, ids) =>
      new Map([...(await places(name, ids))].map(([id, place]) => [id, { ...place, turn: true }]));
    await open();
    await click();
    const asked = () => demos.count('acquireOrWait');
    await eventually(() => expect(asked()).toBeGreaterThan(0));
    const [before, at] = [asked(), performance.now()];
    await eventually(() => expect(asked()).toBeGreaterThan(before + 3));
    expect((performance.now() - at) / (asked() - before)).toBeGreaterThan(700);
    demos.ready.set('shop', 1);
    await inApp().getByRole('heading').waitFor();
  });

  it('is over only once the server has ended it', async () => {
    await open();
    await click();
    await inApp().getByRole('heading').waitFor();
    const ask = () =>
      page.evaluate<string>("document.querySelector('try-it-now').end().then(() => 'ended', ({ message }) => message)");
    http.demos.failure = new TryItNowError('store_unavailable', 'no store');
    expect(await ask()).toContain('503');
    http.demos.failure = undefined;
    expect((await events()).map(([name]) => name)).toEqual(['ready']);
    expect(await ask()).toBe('ended');
    expect((await events()).map(([name]) => name)).toEqual(['ready', 'ended']);
    expect(instance()?.state).toBe('releasing');
  });

  it('is a plain form that leads to a tab of its own, and without scripts the form in it', async () => {
    await open('template="shop" mode="tab"');
    const [tab] = await Promise.all([context.waitForEvent('page'), click()]);
    await tab.frameLocator('iframe').getByRole('heading', { name: 'at /' }).waitFor();
    const began = "document.querySelector('try-it-now').start()";
    const states: number[] = [];
    tab.on('response', (answer) => {
      if (answer.url().endsWith('/state')) states.push(answer.status());
    });
    const [another] = await Promise.all([context.waitForEvent('page'), page.evaluate(began)]);
    await another.frameLocator('iframe').getByRole('heading', { name: 'at /' }).waitFor();
    // The first tab has its visit still, which is the other's too.
    await tab.bringToFront();
    await eventually(() => expect(states.length).toBeGreaterThan(1));
    expect(new Set(states)).toEqual(new Set([200]));
    expect([tab.url(), http.demos.instances.size]).toEqual([another.url(), 1]);
    expect(await page.getByRole('dialog').count()).toBe(0);
    await context.close();
    const form = `<form method="post" action="${start()}/try/shop"><button>Try it now</button></form>`;
    await open(`template="shop">${form}<i`, { javaScriptEnabled: false });
    await click();
    await page.getByRole('heading', { name: 'Shop' }).waitFor();
    await click();
    await page.getByRole('heading', { name: 'at /' }).waitFor();
    expect(http.demos.instances.size).toBe(2);
  });

  it('keeps no cookie of ours where this browser shows it', async () => {
    await open();
    const { port } = new URL(siteUrl);
    shown = { body: `<iframe src="http://localhost:${port}/cookie"></iframe>`, policy: '' };
    await page.goto(siteUrl);
    await bar().getByText('cookies: none').waitFor();
  });

  it('works from the snippet that is copied from our page, which has it working as well', async () => {
    context = await browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
    page = await newPageWithoutForeignCookies(context);
    await page.goto(`${start()}/embed?template=shop`);
    await click();
    await inApp().getByRole('heading').waitFor();
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByRole('button', { name: 'Copy: A button for your pages' }).click();
    await page.getByText('Copied').waitFor();
    shown = { body: await page.evaluate<string>('navigator.clipboard.readText()'), policy: '' };
    await page.goto(siteUrl);
    await click();
    await inApp().getByRole('heading').waitFor();
  });
});

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:http';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TryItNowError } from '../../src/domain/errors.ts';
import type { Instance } from '../../src/domain/instance.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { DEFAULT_COLORS, NO_BRANDING } from '../../src/presentation/branding.ts';
import { en } from '../../src/presentation/languages/en.ts';
import { BUILT_IN_LANGUAGES, Languages } from '../../src/presentation/languages/languages.ts';
import { endedPage, silentPage, unreachablePage } from '../../src/proxy/pages.ts';
import { axeViolations } from '../support/axe.ts';
import { launchChromium, whyWithoutChromium } from '../support/chromium.ts';
import { FakeDemos, challengeRequired } from '../support/fake-demos.ts';
import { startHttp, type RunningServer } from '../support/http-server.ts';
import { template } from '../support/templates.ts';

const why = whyWithoutChromium('the accessibility of every page');
const SHOTS = process.env['SHOTS'];
const EXPORT = { kind: 'http', path: '/', file: 'board.json', mediaType: 'a/b', maxBytes: 1, timeoutMs: 1 } as const;
const LANGUAGES = new Languages([...BUILT_IN_LANGUAGES, { tag: 'ar', messages: en }]);
const BRANDED = {
  ...NO_BRANDING,
  title: [{ tag: undefined, text: 'Acme Demos' }],
  logo: {
    path: '/assets/logo.svg',
    body: Buffer.from(
      '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 1"><rect width="4" height="1" fill="#005a9c"/></svg>',
    ).toString('base64'),
    type: 'image/svg+xml',
    width: 112,
    height: 28,
  },
  colors: {
    light: { ...DEFAULT_COLORS.light, accent: '#005a9c' },
    dark: { ...DEFAULT_COLORS.dark, accent: '#7cc4ff', on_accent: '#001a2e' },
  },
  links: [{ text: [{ tag: undefined, text: 'Imprint' }], url: 'https://acme.example/imprint' }],
  callToAction: { text: [{ tag: undefined, text: 'Get your own' }], url: 'https://acme.example/buy' },
} as const;

const SHOP = template({
  name: 'shop',
  title: 'Shop',
  frame: 'auto',
  ttl: { defaultMs: 600_000, maxMs: 7_200_000 },
  callToAction: { text: 'Buy it', url: 'https://vendor.example/buy' },
});
const LEAD = {
  ask: 'before',
  required: false,
  fields: [
    { name: 'email', required: true },
    { name: 'message', required: false },
  ],
  text: [{ tag: undefined, text: 'You may write to me about it.' }],
  privacyUrl: 'https://vendor.example/privacy',
} as const;
const MORE = '+15 min: Keep it 15 minutes longer';
const APP = '<!doctype html><html lang="en"><title>App</title><main><h1>App</h1><a href="/">within</a></main>';

/** A page, how its visitor gets there, and how the pool stands then. */
const VIEWS: Readonly<Record<string, (page: Page, http: RunningServer) => Promise<unknown>>> = {
  start: (page, { url }) => page.goto(url),
  held: async (page, { url, demos }) => {
    demos.ready.set('hello', 1);
    await page.goto(url);
    await page.request.post(`${url}/try/hello`, { headers: { accept: 'text/html' } });
    await page.goto(`${url}/?notice=extended`);
  },
  embed: (page, { url }) => page.goto(`${url}/embed?template=other&mode=inline`),
  missing: (page, { url }) => page.goto(`${url}/nothing`),
  problem: (page, { url }) => page.goto(`${url}/problems/pool_empty`),
  limit: async (page, { url, demos }) => {
    demos.failure = new TryItNowError('hourly_limit', 'enough', { retryAfterMs: 1_300_000 });
    await page.goto(`${url}/try/other`);
    await page.locator('form[action^="/try/"] button').click();
    await page.getByRole('heading', { name: /^(That was plenty|Das war genug)/ }).waitFor();
    demos.failure = undefined;
  },
  gate: async (page, { url, demos }) => {
    demos.failure = challengeRequired();
    await page.goto(`${url}/try/other`);
    // As long as the browser computes, it is on this page.
    await page.route(/\/gate\.[^/]*js$/, (route) => route.abort());
    // With what it says where no script runs, which axe needs.
    await page.route('**/try/other', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: (await response.text()).replaceAll('noscript>', 'div>') });
    });
    await page.locator('form[action^="/try/"] button').click();
    await page.locator('form[data-try-it-now-challenge]').waitFor({ state: 'attached' });
    await page.unroute('**/try/other');
    demos.failure = undefined;
  },
  waiting: async (page, { url, demos }) => {
    demos.ready.set('other', 0);
    await page.goto(url);
    await page.locator('form[action="/try/other"] button').click();
    await page.waitForURL(/\/wait\//);
    expect(await page.evaluate('document.getAnimations().length'), 'nothing moves where it should not').toBe(0);
  },
  lead: async (page, { url }) => {
    await page.goto(`${url}/try/asks`);
    await page.locator('form[action="/try/asks"] button').click();
    await page.locator('.lead').waitFor();
    await page.locator('#lead-email').fill('ann');
    await page.evaluate(`document.querySelector('.lead').noValidate = true`);
    await page.locator('.lead button[value=given]').click();
    await page.locator('[role=alert]').waitFor();
  },
  visit: async (page, { url, demos }) => {
    const held = await visited(page, url, demos);
    demos.nowMs = (held.deadlineMs ?? 0) - 50_000;
    await page.reload();
    await page.locator('[data-bar][data-level=last]').waitFor();
    await page.evaluate(`document.dispatchEvent(
      new SecurityPolicyViolationEvent('securitypolicyviolation', { effectiveDirective: 'frame-src' }))`);
    await page.locator('[data-offer] a').waitFor();
  },
  share: async (page, { url, demos }) => {
    await visited(page, url, demos);
    await reveal(page, '[data-share]');
    await page.locator('[data-share]').click();
    await page.locator('dialog[open]').waitFor();
  },
  over: async (page, { url, demos }) => {
    await visited(page, url, demos);
    await reveal(page, '[data-end]');
    await page.locator('[data-end]').click();
    await page.locator('[data-end-now]').click();
    await page.locator('[data-ended] h1').waitFor();
  },
  'hand-over': async (page, { url, demos }) => {
    demos.bare = { why: 'needs_plugins', what: 'a PDF' };
    await page.goto(url);
    await page.route(/^http:\/\/\w+\.localhost/, (route) => route.abort('aborted'));
    await page.locator('form[action="/try/shop"] button').click();
    await page.locator('meta[http-equiv=refresh]').waitFor({ state: 'attached' });
    demos.bare = undefined;
  },
};

/** Whose pages are reached by the name that they know: by another one they open apps without a frame. */
async function startReached(options: Parameters<typeof startHttp>[0]): Promise<RunningServer> {
  const port = await freePort();
  return startHttp({ ...options, port, publicUrl: `http://127.0.0.1:${port}` });
}

/** On a page of one's own instance, with its bar. */
async function visited(page: Page, url: string, demos: FakeDemos): Promise<Instance> {
  await page.goto(`${url}/try/shop`);
  await page.locator('form[action="/try/shop"] button, .card .primary').click();
  await page.locator('iframe[src]').waitFor();
  const held = [...demos.instances.values()].findLast(({ template: name }) => name === 'shop');
  if (held === undefined) throw new Error('the click took nothing');
  return held;
}

/** On narrow pages, what the bar has no room for is behind a button. */
async function reveal(page: Page, target: string): Promise<void> {
  if (!(await page.locator(target).isVisible())) await page.locator('[data-more]').click();
}

describe.skipIf(why !== undefined)('every page', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser.close());

  const LOOKS: readonly { name: string; options: BrowserContextOptions; branding?: typeof BRANDED }[] = [
    // As narrow as WCAG 1.4.10 has it: a page of 1280 px at 400 %.
    { name: 'light-320', options: { colorScheme: 'light', viewport: { width: 320, height: 640 } } },
    { name: 'dark-de-1280', options: { colorScheme: 'dark', locale: 'de', viewport: { width: 1280, height: 800 } } },
    { name: 'rtl-390', options: { colorScheme: 'light', locale: 'ar', viewport: { width: 390, height: 844 } } },
    {
      name: 'branded-1280',
      options: { colorScheme: 'light', viewport: { width: 1280, height: 800 } },
      branding: BRANDED,
    },
    // A window of 1280 px at 200 %.
    {
      name: 'branded-dark-640',
      options: { colorScheme: 'dark', viewport: { width: 640, height: 400 } },
      branding: BRANDED,
    },
  ];

  it.each(LOOKS)(
    'has nothing that axe finds, and nothing beyond the side: $name',
    async ({ name, options, branding }) => {
      const demos = new FakeDemos([
        template({ name: 'hello', title: 'Hello', description: 'A board and more.', export: EXPORT }),
        template({ name: 'other', title: 'Other' }),
        template({ name: 'asks', title: 'Asks', lead: LEAD }),
        SHOP,
      ]);
      await using http = await startReached({ demos, page: { languages: LANGUAGES, ...(branding && { branding }) } });
      const shared = { languages: LANGUAGES, branding: branding ?? NO_BRANDING, startUrl: `${http.url}/` };
      const proxied = {
        ended: endedPage(shared),
        unreachable: unreachablePage(shared),
        silent: silentPage(shared, 90_000),
      };
      const proxy = createServer((request, response) => {
        const found = proxied[(request.url ?? '/').slice(1) as keyof typeof proxied] as
          (typeof proxied)['ended'] | undefined;
        const tag = LANGUAGES.accepted(request.headers['accept-language']).tag;
        response
          .setHeader('content-type', 'text/html; charset=utf-8')
          .end(found?.pages.find((candidate) => candidate.tag === tag)?.html ?? APP);
      });
      await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
      const { port } = proxy.address() as AddressInfo;
      demos.urlOf = (label) => `http://${label}.localhost:${port}/`;
      const context = await browser.newContext({ ...options, bypassCSP: true, reducedMotion: 'reduce' });
      const page = await context.newPage();
      const found: Record<string, string[]> = {};
      const views = {
        ...VIEWS,
        ...Object.fromEntries(
          Object.keys(proxied).map((key) => [key, () => page.goto(`http://127.0.0.1:${port}/${key}`)]),
        ),
      } as typeof VIEWS;
      for (const [view, open] of Object.entries(views)) {
        await open(page, http);
        if (SHOTS !== undefined) await page.screenshot({ path: `${SHOTS}/${name}-${view}.png`, fullPage: true });
        const wide = (await page.evaluate('document.documentElement.scrollWidth > innerWidth')) === true;
        const all = [...(await axeViolations(page)), ...(wide ? ['scrolls sideways'] : [])];
        if (all.length > 0) found[view] = all;
      }
      await context.close();
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
      expect(found).toEqual({});
    },
  );

  it('can be used with the keyboard alone: start, more time, share, end', async () => {
    const demos = new FakeDemos([SHOP]);
    const app = createServer((_, response) => response.setHeader('content-type', 'text/html').end(APP));
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve));
    demos.urlOf = (label) => `http://${label}.localhost:${(app.address() as AddressInfo).port}/`;
    await using http = await startReached({ demos });
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, bypassCSP: true });
    const page = await context.newPage();
    /** What has the focus after a step, as it is called; it has to show. */
    const focused = (): Promise<string> =>
      page.evaluate(`(() => {
        const { activeElement: element } = document;
        const style = getComputedStyle(element);
        const outlined = element.matches(':focus-visible') && style.outlineStyle !== 'none';
        const shows = element.tagName === 'IFRAME' || outlined;
        const name = element.getAttribute('aria-label') ?? element.title ?? '';
        return (shows ? '' : 'unseen ') + (name === '' ? element.textContent.trim() : name);
      })()`);
    const tab = async (key = 'Tab'): Promise<string> => {
      await page.keyboard.press(key);
      return focused();
    };
    const tabs = async (count: number): Promise<string[]> => {
      const names: string[] = [];
      for (let at = 0; at < count; at += 1) names.push(await tab());
      return names;
    };
    await page.goto(http.url);
    expect(await tabs(3)).toEqual(['Skip to the content', 'Try It Now', 'Try it now: Shop']);
    await page.keyboard.press('Enter');
    await page.frameLocator('iframe').getByRole('heading').waitFor();

    const bar = ['Skip to the app', 'Back to the start', MORE, 'Share', 'Own tab', 'End', 'Buy it', 'Shop'];
    expect(await tabs(bar.length)).toEqual(bar);
    // Into the app, out of it at its end, and back: no trap.
    expect(await page.frames()[1]?.evaluate('document.activeElement.textContent')).toBe('within');
    expect(await tab('Shift+Tab')).toBe('Buy it');
    for (const name of ['End', 'Own tab', 'Share', MORE]) expect(await tab('Shift+Tab')).toBe(name);
    await page.keyboard.press('Enter');
    await page.getByText('Done: you have more time').waitFor();

    await tab();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Share this copy' }).waitFor();
    const within = new Set(await tabs(4));
    expect([...within].filter((name) => bar.includes(name))).toEqual([]);
    await page.keyboard.press('Escape');
    expect(await focused()).toBe('Share');

    expect(await tabs(2)).toEqual(['Own tab', 'End']);
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').getByRole('button', { name: 'End it' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Your Shop has ended' }).waitFor();
    expect(await tab()).toBe('Start another');
    await context.close();
    app.closeAllConnections();
    await new Promise((resolve) => app.close(resolve));
  });
});

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:http';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import type { AxeResults } from 'axe-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TryItNowError } from '../../src/domain/errors.ts';
import { DEFAULT_COLORS, NO_BRANDING } from '../../src/presentation/branding.ts';
import { en } from '../../src/presentation/languages/en.ts';
import { BUILT_IN_LANGUAGES, Languages } from '../../src/presentation/languages/languages.ts';
import { endedPage, silentPage, unreachablePage } from '../../src/proxy/pages.ts';
import { launchChromium, whyWithoutChromium } from '../support/chromium.ts';
import { FakeDemos } from '../support/fake-demos.ts';
import { startHttp, type RunningServer } from '../support/http-server.ts';
import { template } from '../support/templates.ts';

const why = whyWithoutChromium();
const SHOTS = process.env['SHOTS'];
const LANGUAGES = new Languages([...BUILT_IN_LANGUAGES, { tag: 'ar', messages: en }]);
const BRANDED = {
  ...NO_BRANDING,
  title: [{ tag: undefined, text: 'Acme Demos' }],
  logo: {
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
};

describe.skipIf(why !== undefined)('every page', () => {
  let browser: Browser;
  let axe: string;
  beforeAll(async () => {
    browser = await launchChromium();
    axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  });
  afterAll(() => browser.close());

  async function violations(page: Page): Promise<string[]> {
    await page.evaluate(axe);
    const results: AxeResults = await page.evaluate(
      `axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })`,
    );
    return results.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
  }

  const LOOKS: readonly { name: string; options: BrowserContextOptions; branding?: typeof BRANDED }[] = [
    { name: 'light-390', options: { colorScheme: 'light', viewport: { width: 390, height: 844 } } },
    { name: 'dark-de-1280', options: { colorScheme: 'dark', locale: 'de', viewport: { width: 1280, height: 800 } } },
    { name: 'rtl-390', options: { colorScheme: 'light', locale: 'ar', viewport: { width: 390, height: 844 } } },
    {
      name: 'branded-1280',
      options: { colorScheme: 'light', viewport: { width: 1280, height: 800 } },
      branding: BRANDED,
    },
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
        template({ name: 'hello', title: 'Hello', description: 'A board and more.' }),
        template({ name: 'other', title: 'Other' }),
      ]);
      await using http = await startHttp({ demos, page: { languages: LANGUAGES, ...(branding && { branding }) } });
      const shared = { languages: LANGUAGES, branding: branding ?? NO_BRANDING, startUrl: http.url };
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
          .end(found?.pages.find((candidate) => candidate.tag === tag)?.html);
      });
      await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
      const { port } = proxy.address() as AddressInfo;
      const context = await browser.newContext({ ...options, bypassCSP: true, reducedMotion: 'reduce' });
      const page = await context.newPage();
      const found: Record<string, string[]> = {};
      const views = {
        ...VIEWS,
        waiting: async () => {
          demos.ready.set('other', 0);
          await page.goto(http.url);
          await page.locator('form[action="/try/other"] button').click();
          await page.waitForURL(/\/wait\//);
        },
        ...Object.fromEntries(
          Object.keys(proxied).map((key) => [key, () => page.goto(`http://127.0.0.1:${port}/${key}`)]),
        ),
      } as typeof VIEWS;
      for (const [view, open] of Object.entries(views)) {
        await open(page, http);
        if (SHOTS !== undefined) await page.screenshot({ path: `${SHOTS}/${name}-${view}.png`, fullPage: true });
        const wide = (await page.evaluate('document.documentElement.scrollWidth > innerWidth')) === true;
        const all = [...(await violations(page)), ...(wide ? ['scrolls sideways'] : [])];
        if (all.length > 0) found[view] = all;
      }
      await context.close();
      proxy.closeAllConnections();
      await new Promise((resolve) => proxy.close(resolve));
      expect(found).toEqual({});
    },
  );
});

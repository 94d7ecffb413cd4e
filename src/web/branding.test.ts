import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Languages } from '../presentation/languages/languages.ts';
import { endedPage, lostPage, silentPage, unreachablePage } from '../proxy/pages.ts';
import { DEFAULT_COLORS, NO_BRANDING, type Logo } from '../presentation/branding.ts';
import { FakeDemos } from '../../test/support/fake-demos.ts';
import { startHttp, type RunningServer } from '../../test/support/http-server.ts';
import { PageVisitor } from '../../test/support/page-visitor.ts';
import { template } from '../../test/support/templates.ts';

const HOSTILE = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
const LOGO: Logo = {
  path: '/assets/logo.shop.svg',
  body: Buffer.from(HOSTILE).toString('base64'),
  type: 'image/svg+xml',
  width: 90,
  height: 28,
};
const say = (text: string) => [{ tag: undefined, text }] as const;
const link = (text: string, url: string) => ({ text: say(text), url });
const ABUSE = 'mailto:abuse@acme.example';
const SITE = {
  ...NO_BRANDING,
  abuse: ABUSE,
  title: say('Acme'),
  legal: say('Wiped after use'),
  heading: say('Try <Acme>'),
};
const BRANDING = {
  ...SITE,
  templates: {
    shop: {
      ...SITE,
      title: say('Acme Shop'),
      heading: say('Try our shop'),
      intro: say('A shop & more'),
      logo: LOGO,
      colors: { ...DEFAULT_COLORS, light: { ...DEFAULT_COLORS.light, accent: '#8a2be2' } },
      links: [link('Shop imprint', 'https://shop.example/imprint')],
      callToAction: link('Open a shop', 'https://shop.example/open'),
    },
  },
};

describe('the pages that stand in for an instance', () => {
  it('have the logo from where the start page has it', async () => {
    const branding = { ...SITE, logo: LOGO, templates: {} };
    await using http = await startHttp({ page: { branding } });
    const options = { languages: new Languages(), branding, startUrl: `${http.url}/` };
    const all = [endedPage(options), unreachablePage(options), lostPage(options), silentPage(options, 1_000)];
    const sources = all.flatMap(({ pages }) => pages.map(({ html }) => /<img src="([^"]+)"/.exec(html)?.[1] ?? ''));
    expect(new Set(sources)).toEqual(new Set([`${http.url}${LOGO.path}`]));
    const answer = await fetch(sources[0] ?? '');
    expect([answer.status, await answer.text()]).toEqual([200, HOSTILE]);
  });
});

describe('pages about a template with a branding of its own', () => {
  let http: RunningServer;
  let visitor: PageVisitor;
  const page = async (path: string) => (await visitor.send('GET', path)).text();
  beforeEach(async () => {
    const shop = template({ name: 'shop', title: 'Shop', frame: 'auto' });
    http = await startHttp({
      demos: new FakeDemos([shop, template({ name: 'blog', title: 'Blog', frame: 'auto' })]),
      page: { branding: BRANDING },
    });
    visitor = new PageVisitor(http.url);
  });
  afterEach(() => http[Symbol.asyncDispose]());

  it('have its title, words, logo, colours, links and call to action; all others have the site’s', async () => {
    const [start, shop, blog] = [await page('/'), await page('/try/shop'), await page('/try/blog')];
    for (const text of [start, blog]) {
      expect(text).toContain('<title>Acme</title>');
      expect(text).toContain('<h1>Try &lt;Acme&gt;</h1>');
      expect(text).not.toContain('Shop imprint');
      expect(text).toContain(`<a href="${ABUSE}">Report abuse</a>`);
    }
    expect(shop).toContain('<title>Acme Shop</title>');
    expect(shop).toContain('<h1>Try our shop</h1>\n<p>A shop &amp; more</p>');
    expect(shop).toContain('Wiped after use');
    expect(shop).toContain('<a href="https://shop.example/imprint">Shop imprint</a>');
    expect(shop).toContain('<a class="button quiet" href="https://shop.example/open">Open a shop</a>');
    // Beside its name where there are others; on its own pages at the top.
    expect(start).toContain(`<img class="tile" src="${LOGO.path}" alt=""`);
    expect(shop).toContain(`<img src="${LOGO.path}" alt="" width="90" height="28">`);
    const sheet = (text: string) => /"(\/assets\/page\.[0-9a-f]{12}\.css)"/.exec(text)?.[1] ?? '';
    expect([sheet(blog), await page(sheet(shop))]).toEqual([
      sheet(start),
      expect.stringContaining('--accent: #8a2be2;') as string,
    ]);
    expect(await page(sheet(start))).toContain(`--accent: ${DEFAULT_COLORS.light.accent};`);
  });

  it('are the waiting page, the bar and what is refused on the way as well', async () => {
    http.demos.ready.set('shop', 0);
    await visitor.send('POST', '/try/shop');
    expect(await page('/wait/shop')).toContain('· Acme Shop</title>');
    http.demos.ready.set('shop', 1);
    const visit = (await visitor.send('POST', '/try/shop')).headers.get('location') ?? '';
    const bar = await page(visit);
    expect(bar).toContain(`<img src="${LOGO.path}" alt="" width="90" height="28">`);
    const [, next = ''] = /href="([^"]+)" target="_blank" rel="noopener">Open a shop</.exec(bar) ?? [];
    expect((await visitor.send('GET', next)).headers.get('location')).toBe('https://shop.example/open');
    http.demos.control = { ...http.demos.control, mode: 'paused' };
    expect(await (await new PageVisitor(http.url).send('POST', '/try/shop')).text()).toContain('· Acme Shop</title>');
  });

  it('show an SVG as an image and as nothing else', async () => {
    const answer = await visitor.send('GET', LOGO.path);
    expect(await answer.text()).toBe(HOSTILE);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'image/svg+xml',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    });
  });
});

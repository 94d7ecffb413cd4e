import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TryItNowError } from '../../src/domain/errors.ts';
import { axeViolations } from '../support/axe.ts';
import { de } from '../../src/presentation/languages/de.ts';
import { en } from '../../src/presentation/languages/en.ts';
import { Languages } from '../../src/presentation/languages/languages.ts';
import { newPageWithoutForeignCookies, whyWithoutChromium } from '../support/chromium.ts';
import { EmbeddingSite } from '../support/embedding-site.ts';
import { eventually } from '../support/eventually.ts';
import { startHttp } from '../support/http-server.ts';

const SHOTS = process.env['SHOTS'];
const PHONE = { width: 390, height: 844 };

const why = whyWithoutChromium('the web component');

describe.skipIf(why !== undefined)(`the web component${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  const site = new EmbeddingSite();
  const { start, instance, bar, inApp, events, click, open } = site;
  beforeAll(() => site.begin());
  afterAll(() => site.end());
  beforeEach(() => site.serve());
  afterEach(() => site.leave());

  const shot = async (name: string) => {
    if (SHOTS !== undefined) await site.page.screenshot({ path: `${SHOTS}/${name}.png` });
  };

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
    expect(site.blocked).toEqual([]);
    await eventually(async () =>
      expect(await events()).toEqual([
        ['ready', expect.objectContaining({ template: 'shop', framed: true, secondsLeft: 1_800 })],
      ]),
    );
    // The app leads its visitor nowhere else, and goes on while it is out of sight.
    await inApp().getByRole('link', { name: 'away' }).click();
    await site.page.getByRole('button', { name: 'Close' }).press('Escape');
    await eventually(async () => expect(await site.page.getByRole('dialog').count()).toBe(0));
    expect(site.page.url()).toBe(`${site.url}/`);
    await site.page.getByRole('button', { name: 'Open yours' }).click();
    await inApp().getByRole('heading', { name: 'signed in at /next' }).waitFor();
  });

  it('shows the visit in the page, warns, says when it is over, and starts another there', async () => {
    await open('template="shop" mode="inline" lang="de"');
    await site.page.getByRole('button', { name: 'Jetzt ausprobieren' }).click();
    await inApp().getByRole('heading').waitFor();
    await bar().getByText('Restzeit').waitFor();
    await shot('inline');
    const { demos } = site.http;
    demos.nowMs = (instance()?.deadlineMs ?? 0) - 50_000;
    // The bar may not have heard of it before its script ran, nor look twice at a time.
    await eventually(async () => {
      await site.page.frames()[1]?.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
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
    await site.page.evaluate("document.querySelector('try-it-now').end()");
    await site.page.getByText('Diese Kopie ist beendet').waitFor();
    await eventually(() => expect(instance()?.state).toBe('releasing'));
  });

  it('waits in line on a phone, tells the place, is served in turn, and gives up when it is told to', async () => {
    site.http.demos.ready.set('shop', 0);
    site.http.demos.waiting.set('shop', ['somebody']);
    await open('template="shop"', { viewport: PHONE, hasTouch: true, isMobile: true });
    await click();
    await site.page.getByText('You are number 2 in the line · about 4 sec').waitFor();
    expect(await axeViolations(site.page)).toEqual([]);
    await shot('waiting-phone');
    await site.page.getByRole('button', { name: 'Stop waiting' }).click();
    await eventually(() => expect(site.http.demos.waiting.get('shop')).toEqual(['somebody']));
    await click();
    await site.page.getByText('You are number 2').waitFor();
    site.http.demos.waiting.get('shop')?.shift();
    await site.page.getByText('You are next').waitFor();
    site.http.demos.ready.set('shop', 1);
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
    const [tab] = await Promise.all([site.context.waitForEvent('page'), click()]);
    await tab.getByRole('heading', { name: 'signed in at /' }).waitFor();
    await site.page.getByRole('link', { name: 'Open it in a new tab' }).waitFor();
    await shot('tab');
    await site.page.evaluate("document.querySelector('try-it-now').end()");
    await site.page.getByText('This copy has ended').waitFor();
    await eventually(async () => expect((await events()).map(([name]) => name)).toEqual(['ready', 'ended']));
    await eventually(() => expect(instance()?.state).toBe('releasing'));
  });

  it('says why there is none, in words', async () => {
    site.http.demos.control = { ...site.http.demos.control, mode: 'paused' };
    await open('template="shop"', { colorScheme: 'dark' });
    await click();
    await site.page.getByText('Taking a break').waitFor();
    await shot('refused');
    site.http.demos.control = { ...site.http.demos.control, mode: 'open' };
    await site.page.getByRole('button', { name: 'Try again' }).click();
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
    const failed = await site.page.evaluate(`(() => {
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
    await site.page.getByRole('button', { name: 'Have a go' }).click();
    await bar().getByText('Restzeit').waitFor();
  });

  it('shows the button of another app once that is its template, and gives up the place it had', async () => {
    site.http.demos.ready.set('shop', 0);
    await open();
    await click();
    await site.page.getByText('You are next').waitFor();
    const element = "document.querySelector('try-it-now')";
    const become = (name: string) => site.page.evaluate(`${element}.setAttribute('template', '${name}')`);
    await become('shop');
    expect(await site.page.getByRole('dialog').count()).toBe(1);
    await become('other');
    expect(await site.page.getByRole('dialog').count()).toBe(0);
    await eventually(() => expect(site.http.demos.waiting.get('shop')).toEqual([]));
    await click();
    await inApp().getByRole('heading').waitFor();
    expect(instance()?.template).toBe('other');
    await become('shop');
    await click();
    await site.page.getByText('You are next').waitFor();
    expect((await events()).map(([name, detail]) => [name, (detail as { template: string }).template])).toEqual([
      ['queue', 'shop'],
      ['ready', 'other'],
      ['queue', 'shop'],
    ]);
  });

  it('speaks the language that the server speaks to it', async () => {
    await site.http[Symbol.asyncDispose]();
    const { demos } = site.http;
    const languages = new Languages([
      { tag: 'en', messages: en },
      { tag: 'pt-BR', messages: de },
    ]);
    site.http = await startHttp({ demos, port: site.startPort, publicUrl: start(), page: { languages } });
    demos.ready.set('shop', 0);
    for (const lang of ['pt', 'pt-BR', 'pt-br-x-any']) {
      await open(`template="shop" lang="${lang}"`);
      await site.page.getByRole('button', { name: 'Jetzt ausprobieren' }).click();
      await site.page.getByText('Sie sind als Nächstes dran').waitFor();
      await site.context.close();
      demos.waiting.clear();
    }
    await open('template="shop" lang="pt-PT"');
    await click();
    await site.page.getByText('You are').waitFor();
  });

  it('says so where the wait has become too long, and begins another when it is told to', async () => {
    const { demos } = site.http;
    demos.ready.set('shop', 0);
    await open();
    await click();
    await site.page.getByText('You are next').waitFor();
    demos.waitedMs = 31 * 60_000;
    // Its place is gone, so it asks before it would by itself.
    demos.waiting.set('shop', []);
    await site.page.getByText('This takes longer than it should').waitFor();
    expect(demos.waiting.get('shop')).toEqual([]);
    await site.page.reload();
    await click();
    await site.page.getByText('This takes longer than it should').waitFor();
    const error = { code: 'gave_up', message: expect.stringContaining('31 minutes') as string, retryable: true };
    expect(await events()).toEqual([['error', { template: 'shop', ...error }]]);
    demos.waitedMs = 1_000;
    await site.page.getByRole('button', { name: 'Try again' }).click();
    await site.page.getByText('You are next').waitFor();
  });

  it('asks no more than once a second while it is told that its turn has come and gets none', async () => {
    const { demos } = site.http;
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
      site.page.evaluate<string>(
        "document.querySelector('try-it-now').end().then(() => 'ended', ({ message }) => message)",
      );
    site.http.demos.failure = new TryItNowError('store_unavailable', 'no store');
    expect(await ask()).toContain('503');
    site.http.demos.failure = undefined;
    expect((await events()).map(([name]) => name)).toEqual(['ready']);
    expect(await ask()).toBe('ended');
    expect((await events()).map(([name]) => name)).toEqual(['ready', 'ended']);
    expect(instance()?.state).toBe('releasing');
  });

  it('is a plain form that leads to a tab of its own, and without scripts the form in it', async () => {
    await open('template="shop" mode="tab"');
    const [tab] = await Promise.all([site.context.waitForEvent('page'), click()]);
    await tab.frameLocator('iframe').getByRole('heading', { name: 'at /' }).waitFor();
    const began = "document.querySelector('try-it-now').start()";
    const states: number[] = [];
    tab.on('response', (answer) => {
      if (answer.url().endsWith('/state')) states.push(answer.status());
    });
    const [another] = await Promise.all([site.context.waitForEvent('page'), site.page.evaluate(began)]);
    await another.frameLocator('iframe').getByRole('heading', { name: 'at /' }).waitFor();
    // The first tab has its visit still, which is the other's too.
    await tab.bringToFront();
    await eventually(() => expect(states.length).toBeGreaterThan(1));
    expect(new Set(states)).toEqual(new Set([200]));
    expect([tab.url(), site.http.demos.instances.size]).toEqual([another.url(), 1]);
    expect(await site.page.getByRole('dialog').count()).toBe(0);
    await site.context.close();
    const form = `<form method="post" action="${start()}/try/shop"><button>Try it now</button></form>`;
    await open(`template="shop">${form}<i`, { javaScriptEnabled: false });
    await click();
    await site.page.getByRole('heading', { name: 'Shop' }).waitFor();
    await click();
    await site.page.getByRole('heading', { name: 'at /' }).waitFor();
    expect(site.http.demos.instances.size).toBe(2);
  });

  it('keeps no cookie of ours where this browser shows it', async () => {
    await open();
    const { port } = new URL(site.url);
    site.shown = { body: `<iframe src="http://localhost:${port}/cookie"></iframe>`, policy: '' };
    await site.page.goto(site.url);
    await bar().getByText('cookies: none').waitFor();
  });

  it('works from the snippet that is copied from our page, which has it working as well', async () => {
    site.context = await site.browser.newContext({ permissions: ['clipboard-read', 'clipboard-write'] });
    site.page = await newPageWithoutForeignCookies(site.context);
    await site.page.goto(`${start()}/embed?template=shop`);
    await click();
    await inApp().getByRole('heading').waitFor();
    await site.page.getByRole('button', { name: 'Close' }).click();
    await site.page.getByRole('button', { name: 'Copy: A button for your pages' }).click();
    await site.page.getByText('Copied').waitFor();
    site.shown = { body: await site.page.evaluate<string>('navigator.clipboard.readText()'), policy: '' };
    await site.page.goto(site.url);
    await click();
    await inApp().getByRole('heading').waitFor();
  });
});

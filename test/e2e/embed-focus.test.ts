import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { whyWithoutChromium } from '../support/chromium.ts';
import { EmbeddingSite } from '../support/embedding-site.ts';
import { eventually } from '../support/eventually.ts';

const why = whyWithoutChromium('the focus in embedded visits');

describe.skipIf(why !== undefined)(`the focus${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  const site = new EmbeddingSite();
  const { instance, bar, inApp, open } = site;
  beforeAll(() => site.begin());
  afterAll(() => site.end());
  beforeEach(() => site.serve());
  afterEach(() => site.leave());

  const focused = (what: string) =>
    site.page.evaluate(`document.querySelector('try-it-now').shadowRoot.activeElement?.matches('${what}')`);
  const tryIt = () => site.page.getByRole('button', { name: 'Try it now' });
  const end = async () => {
    await site.http.demos.release(instance()?.id ?? '');
    await site.page.frames()[1]?.evaluate("document.dispatchEvent(new Event('visibilitychange'))");
    await bar().getByRole('heading', { name: 'Your Shop has ended' }).waitFor();
  };

  it('goes on from the button to what takes its place, up to the app', async () => {
    site.http.demos.ready.set('shop', 0);
    await open('template="shop" mode="inline"');
    await tryIt().press('Enter');
    await site.page.getByText('You are next').waitFor();
    expect(await focused('section > div')).toBe(true);
    await site.page.getByRole('button', { name: 'Stop waiting' }).focus();
    site.http.demos.ready.set('shop', 1);
    await inApp().getByRole('heading').waitFor();
    expect(await focused('section > div')).toBe(true);
    await site.page.keyboard.press('Tab');
    expect(await focused('iframe')).toBe(true);
    await bar().getByRole('button', { name: 'Share' }).focus();
    await end();
    await eventually(async () =>
      expect(await site.page.frames()[1]?.evaluate('document.activeElement.tagName')).toBe('H1'),
    );
  });

  it.each(['modal', 'inline'])('comes back to the button of one that stops waiting, %s', async (mode) => {
    site.http.demos.ready.set('shop', 0);
    await open(`template="shop" mode="${mode}"`);
    await tryIt().press('Enter');
    await site.page.getByText('You are next').waitFor();
    await site.page.getByRole('button', { name: 'Stop waiting' }).press('Enter');
    await tryIt().waitFor();
    await eventually(async () => expect(await focused('[part=button]')).toBe(true));
  });

  const said = () => bar().getByRole('status').first().textContent();

  it('stays where its visitor types when the visit ends in the page, and the frame tells', async () => {
    await open('template="shop" mode="inline"');
    await tryIt().click();
    await inApp().getByRole('heading').waitFor();
    await site.page.evaluate("document.body.append(document.createElement('input'))");
    await site.page.getByRole('textbox').focus();
    await end();
    expect([await site.page.evaluate('document.activeElement.tagName'), await said()]).toEqual(['INPUT', 'Ended']);
  });

  it('is on what closes the visit as that ends above the page, and the frame tells', async () => {
    await open();
    await tryIt().click();
    await inApp().getByRole('heading').waitFor();
    expect(await focused('[part=close]')).toBe(true);
    await end();
    expect([await focused('[part=close]'), await said()]).toEqual([true, 'Ended']);
  });
});

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newPageWithoutForeignCookies, whyWithoutChromium } from '../support/chromium.ts';
import { EmbeddingSite } from '../support/embedding-site.ts';

const why = whyWithoutChromium('the web component, where something went wrong');

describe.skipIf(why !== undefined)(
  `the web component, where something went wrong${why === undefined ? '' : ` (skipped: ${why})`}`,
  () => {
    const site = new EmbeddingSite();
    const { inApp, click, open } = site;
    beforeAll(() => site.begin());
    afterAll(() => site.end());
    beforeEach(() => site.serve());
    afterEach(() => site.leave());

    it('finds in another tab of the site what its browser has', async () => {
      await open();
      await click();
      await inApp().getByRole('heading').waitFor();
      await site.page.close();
      site.page = await newPageWithoutForeignCookies(site.context);
      await site.page.goto(site.url);
      await click();
      await inApp().getByRole('heading').waitFor();
      expect(site.http.demos.instances.size).toBe(1);
      // A visit cannot last for so long.
      await site.page.clock.install({ time: Date.now() + 31 * 86_400_000 });
      await site.page.reload();
      await click();
      await inApp().getByRole('heading').waitFor();
      expect(site.http.demos.instances.size).toBe(2);
    });

    it('keeps nothing in its browser before the first click', async () => {
      await open();
      await site.page.getByRole('button').waitFor();
      expect(await site.page.evaluate('localStorage.length + sessionStorage.length')).toBe(0);
    });

    it.each([
      { denied: ['localStorage'], instances: 1 },
      { denied: ['localStorage', 'sessionStorage'], instances: 2 },
    ])('works where the site.browser keeps nothing in $denied', async ({ denied, instances }) => {
      await open();
      for (const name of denied)
        await site.context.addInitScript(
          `Object.defineProperty(window, '${name}', { get() { throw new Error('denied'); } })`,
        );
      for (let visits = 0; visits < 2; visits += 1) {
        await site.page.reload();
        await click();
        await inApp().getByRole('heading').waitFor();
      }
      expect(site.http.demos.instances.size).toBe(instances);
    });
  },
);

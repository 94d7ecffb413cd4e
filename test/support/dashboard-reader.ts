import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import type { operatorOf } from './operator.ts';

/** Whoever reads or fills in a page, by keyboard too, is not disturbed by what changes on it. The pool is `tiny`. */
export function respectsTheReader(
  pages: readonly string[],
  open: () => Promise<Page>,
  deployment: () => { readonly base: string; readonly operator: ReturnType<typeof operatorOf> },
): void {
  it('every page is walked by keyboard, with the focus to be seen', async () => {
    const [page, { base }] = [await open(), deployment()];
    for (const path of pages) {
      await page.goto(`${base}${path}`);
      const walked = await walk(page);
      expect([path, walked.filter(({ visible }) => !visible)]).toEqual([path, []]);
      expect(walked.map(({ name }) => name).slice(0, 3)).toEqual(['Skip to the content', 'Try It Now', 'Overview']);
    }
    await page.close();
  });

  it('leaves alone what somebody fills in, has the focus on, has marked or unfolded while things change', async () => {
    const [page, { base, operator }] = [await open(), deployment()];
    await page.goto(`${base}/pools/tiny`);
    await page.fill('[name=target]', '7');
    await page.focus('[name=target]');
    await operator.ask('POST', '/pools/tiny/pause', {});
    await page.waitForSelector('[data-live="pool.tiny.mode"] >> text=paused');
    expect(await page.inputValue('[name=target]')).toBe('7');
    expect(await page.evaluate('document.activeElement.name')).toBe('target');
    await page.goto(base);
    const mode = page.locator('[data-live="pool.tiny.mode"]');
    await mode.selectText();
    await page.waitForSelector('[data-live="problems"] >> text=tiny is paused');
    await operator.ask('POST', '/pools/tiny/resume', {});
    const paused = page.locator('[data-live="problems"]', { hasText: 'tiny is paused' });
    await paused.waitFor({ state: 'detached' });
    expect([await mode.textContent(), await page.evaluate('getSelection().toString()')]).toEqual(['paused', 'paused']);
    await page.evaluate('getSelection().removeAllRanges()');
    await page.waitForSelector('[data-live="pool.tiny.mode"] >> text=open');
    await page.close();
  });
}

interface Stop {
  readonly name: string;
  /** On the screen, with something around it that others do not have. */
  readonly visible: boolean;
}

/** Where the focus goes by Tab, from the top of the page to its end. */
async function walk(page: Page): Promise<readonly Stop[]> {
  const stops: Stop[] = [];
  for (;;) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate<Stop | null>(`(() => {
      const at = document.activeElement;
      if (at === document.body || at.dataset.walked) return null;
      at.dataset.walked = 'yes';
      const { width, height, left, right } = at.getBoundingClientRect();
      const { outlineStyle, outlineWidth } = getComputedStyle(at);
      const isOn = width > 0 && height > 0 && left >= 0 && right <= innerWidth;
      const name = at.textContent.trim() || at.name;
      return { name, visible: isOn && outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1 };
    })()`);
    if (stop === null) return stops;
    stops.push(stop);
  }
}

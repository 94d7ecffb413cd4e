import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';

const RULES = {
  everything: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  colours: ['color-contrast'],
  layout: ['target-size', 'scrollable-region-focusable'],
} as const;

/**
 * What axe finds on the page as it is now, in shadow trees too: the rule, and where. `colours`: contrast alone, and
 * `layout`: what depends on where things are, for a page that was looked at whole before those changed.
 */
export async function axeViolations(page: Page, what: keyof typeof RULES = 'everything'): Promise<string[]> {
  if (await page.evaluate("typeof axe === 'undefined'"))
    await page.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'));
  const results: AxeResults = await page.evaluate(`axe.run({ runOnly: ${JSON.stringify(RULES[what])} })`);
  return results.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
}

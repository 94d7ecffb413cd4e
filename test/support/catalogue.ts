import { expect } from 'vitest';
import type { Setting } from '../../src/config/rules.ts';
import { parseTemplates, type TemplateDefaults } from '../../src/config/templates.ts';
import type { SectionContext } from '../../src/config/checkpoint-sections.ts';
import { DATABASE_ENGINES } from '../../src/domain/database.ts';
import type { Template } from '../../src/domain/template.ts';

export const MINUTE = 60_000;
export const setting = (source: string, value: number, written: string): Setting<number> => ({
  source,
  value,
  written,
  sound: true,
});
export const defaults: TemplateDefaults = {
  target: setting('POOL_TARGET_SIZE', 3, '3'),
  max: setting('POOL_MAX_SIZE', 20, '20'),
  replenishThreshold: setting('POOL_REPLENISH_THRESHOLD', 0, '0'),
  defaultTtl: setting('POOL_DEFAULT_TTL', 30 * MINUTE, '30m'),
  maxTtl: setting('POOL_MAX_TTL', 120 * MINUTE, '2h'),
  allowedOrigins: [],
  maxAge: setting('POOL_MAX_AGE', 1_440 * MINUTE, '24h'),
};

export const everything: Omit<SectionContext, 'folder'> = { databaseEngines: DATABASE_ENGINES, usesCheckpoints: true };
export const parsed = (text: string, file = 'apps.yaml', context = everything) =>
  parseTemplates(text, file, defaults, context);
export const problems = (text: string): readonly string[] => parsed(text).problems;

/** One template with these lines added, each a line of the file from line 5 on. */
export function withLines(...lines: string[]): string {
  return [
    'templates:',
    '  - name: hello',
    '    image: app',
    '    port: 80',
    ...lines.map((line) => `    ${line}`),
  ].join('\n');
}

export function template(...lines: string[]): Template {
  const { templates, problems: found } = parsed(withLines(...lines));
  expect(found).toEqual([]);
  expect(templates).toHaveLength(1);
  return templates[0] as Template;
}

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { referencePages } from '../scripts/reference.ts';
import { loadConfig } from '../src/config/load.ts';
import { VARIABLE_NAMES } from '../src/config/variables.ts';
import { ERROR_CATALOGUE } from '../src/domain/errors.ts';

const pages = await referencePages();
const committed = (page: string): string => readFileSync(`docs/reference/${page}.md`, 'utf8');

describe('what is generated', () => {
  it.each([...pages.keys()])('%s is what `npm run generate` writes', (path) => {
    expect(readFileSync(path, 'utf8')).toBe(pages.get(path));
  });

  it.each(Object.keys(ERROR_CATALOGUE))('tells of the error %s', (code) => {
    expect(committed('errors')).toContain(`| \`${code}\` |`);
  });

  it.each(VARIABLE_NAMES)('tells of the variable %s', (name) => {
    expect(committed('config')).toContain(`| \`${name}\` |`);
  });

  it('has examples that load without a word', () => {
    const files = (path: string): string =>
      path.endsWith('.yaml')
        ? 'templates: [{ name: app, image: app, port: 80 }]'
        : path.startsWith('/run/')
          ? 'a-secret-that-is-long-enough'
          : '32768 60999';
    const blocks = [...committed('config').matchAll(/```ini\n(.*?)```/gs)].map(([, text = '']) => text);
    expect(blocks.length).toBeGreaterThan(2);
    for (const block of blocks) {
      const env: Record<string, string> = {};
      for (const [, name = '', value = ''] of block.matchAll(/^([A-Z_]+)=(.*)$/gm)) env[name] = value;
      expect(Object.keys(env)).toHaveLength(block.trim().split('\n').length);
      expect(loadConfig(env, files).warnings).toEqual([]);
    }
  });
});

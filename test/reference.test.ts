import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { referencePages } from '../scripts/reference.ts';
import { VARIABLE_NAMES } from '../src/config/variables.ts';
import { ERROR_CATALOGUE } from '../src/domain/errors.ts';

const pages = await referencePages();
const committed = (page: string): string => readFileSync(`docs/reference/${page}.md`, 'utf8');

describe('docs/reference', () => {
  it.each([...pages.keys()])('%s is what `npm run generate` writes', (path) => {
    expect(readFileSync(path, 'utf8')).toBe(pages.get(path));
  });

  it.each(Object.keys(ERROR_CATALOGUE))('tells of the error %s', (code) => {
    expect(committed('errors')).toContain(`| \`${code}\` |`);
  });

  it.each(VARIABLE_NAMES)('tells of the variable %s', (name) => {
    expect(committed('config')).toContain(`| \`${name}\` |`);
  });
});

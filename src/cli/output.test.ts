import { afterEach, describe, expect, it } from 'vitest';
import { fittedTable, plainTable } from './output.ts';

const columns = process.stdout.columns;
const withColumns = (value: number | undefined): void => {
  Object.defineProperty(process.stdout, 'columns', { value, configurable: true, writable: true });
};
afterEach(() => withColumns(columns));

it('aligns columns with blanks alone, so that awk can read them', () => {
  const table = plainTable(['NAME', 'READY']);
  table.push(['shop', '3'], ['a-long-name', '10']);
  const lines = table.toString().split('\n');
  expect(lines.map((line) => line.trim().split(/\s+/))).toEqual([
    ['NAME', 'READY'],
    ['shop', '3'],
    ['a-long-name', '10'],
  ]);
});

describe('fittedTable', () => {
  const rows = [['caddy', 'word '.repeat(60).trim()]];

  it.each([40, 80, 120, 400])('stays within %i columns, and within what can be read', (width) => {
    withColumns(width);
    const lines = fittedTable(['PART', 'SEEN'], [10], rows).split('\n');
    expect(Math.max(...lines.map((line) => line.trimEnd().length))).toBeLessThanOrEqual(Math.min(width, 160));
    expect(lines.join(' ').match(/word/g)).toHaveLength(60);
  });

  it('takes 80 columns where there is no terminal', () => {
    withColumns(undefined);
    const widths = fittedTable(['PART', 'SEEN'], [10], rows)
      .split('\n')
      .map((line) => line.trimEnd().length);
    expect(Math.max(...widths)).toBeLessThanOrEqual(80);
    expect(Math.max(...widths)).toBeGreaterThan(60);
  });

  it('breaks a word that is longer than its column', () => {
    withColumns(40);
    const lines = fittedTable(['PART', 'SEEN'], [10], [['x', 'y'.repeat(100)]]).split('\n');
    expect(lines.length).toBeGreaterThan(4);
  });
});

/**
 * `npm run growth-page -- bench-results/FILE.json`: the table and the plot of growth in docs/performance.md, from what
 * `npm run bench -- growth` has written.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { replaceBetween } from '../support/page-part.ts';
import type { BenchResult } from './figures.ts';
import { curvesOf, plot, type PlottedCurve } from './growth-plot.ts';

const PAGE = new URL('../../docs/performance.md', import.meta.url);
const PLOT = new URL('../../docs/growth.svg', import.meta.url);

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error('Name the file that npm run bench -- growth has written.');
  process.exit(2);
}
const { figures } = JSON.parse(await readFile(file, 'utf8')) as BenchResult;
const curves = curvesOf(figures);
if (curves.length === 0) throw new Error(`${file} has no curves; npm run bench -- growth measures them`);
await writeFile(PLOT, plot(curves));
await writeFile(PAGE, replaceBetween(await readFile(PAGE, 'utf8'), 'growth', table(curves)));
console.log('Written to docs/performance.md and docs/growth.svg');

/** A row a curve: the median of the rounds, and in which range they were. */
function table(all: readonly PlottedCurve[]): string {
  const sizes = all[0]?.points.map(({ instances }) => instances) ?? [];
  const rows = all.map(({ name, points }) => [
    name,
    ...points.map(({ value, least, most }) =>
      least === most ? text(value) : `${text(value)} (${text(least)} to ${text(most)})`,
    ),
    exponent(points),
  ]);
  const head = ['instances', ...sizes.map(text), 'exponent, last step'];
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

/** 0: it does not grow. 1: ten times the instances, ten times as much. */
function exponent(points: PlottedCurve['points']): string {
  const [before, last] = points.slice(-2);
  if (before === undefined || last === undefined) return '';
  return (Math.log(last.value / before.value) / Math.log(last.instances / before.instances)).toFixed(2);
}

function text(value: number): string {
  return value >= 1_000 ? Math.round(value).toLocaleString('en') : String(value);
}

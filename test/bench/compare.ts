/**
 * `npm run bench-compare -- BEFORE.json AFTER.json`: what changed between two runs of `npm run bench`, beyond what the
 * rounds of each differ among themselves.
 */
import { readFile } from 'node:fs/promises';
import { describeError } from '../../src/domain/errors.ts';
import { changeOf } from './change.ts';
import type { BenchResult } from './figures.ts';

const [before, after] = await Promise.all(process.argv.slice(2).map(read));
if (before === undefined || after === undefined) {
  console.error('Name two files of bench-results/: npm run bench-compare -- BEFORE.json AFTER.json');
  process.exit(2);
}
if (JSON.stringify(before.machine) !== JSON.stringify(after.machine))
  console.log('The two runs are of different machines or versions of Node.');
const earlier = new Map(before.figures.map((figure) => [figure.name, figure]));
const rows = after.figures.flatMap((figure) => {
  const other = earlier.get(figure.name);
  if (other === undefined) return [];
  const { ratio, verdict } = changeOf(other, figure);
  return [{ what: figure.name, before: other.value, after: figure.value, unit: figure.unit, ratio, verdict }];
});
console.table(rows.map((row) => ({ ...row, ratio: Number(row.ratio.toFixed(3)) })));
const count = (verdict: string): number => rows.filter((row) => row.verdict === verdict).length;
console.log(
  `${count('changed')} changed, ${count('within the noise')} within the noise, ` +
    `${count('too few rounds')} of which there are too few rounds to tell.`,
);

async function read(file: string): Promise<BenchResult> {
  try {
    const result = JSON.parse(await readFile(file, 'utf8')) as Partial<BenchResult>;
    if (result.figures === undefined) throw new Error('it has no figures');
    return { at: '', machine: {}, ...result, figures: result.figures };
  } catch (error) {
    console.error(`${file} is no result of npm run bench: ${describeError(error)}`);
    process.exit(2);
  }
}

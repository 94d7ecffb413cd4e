/**
 * `npm run fleet-drill`: three hosts under a steady crowd; each process and each host is killed, hung and cut off in
 * turn and comes back, and a table of how soon all was well again. The exit code is 1 when anything was lost, held
 * twice, or noticed on another host. `--only valkey,node1` plays those faults whose names have one of these, `--json
 * FILE` keeps all that was seen, `--docs` writes the table to docs/reliability.md.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { drill } from './fleet/drill.ts';
import { FAULTS } from './fleet/faults.ts';
import { faultTable } from './fleet/table.ts';

const PAGE = new URL('../../docs/reliability.md', import.meta.url);
const [FROM, TO] = ['<!-- fleet: made by npm run fleet-drill -->', '<!-- end of fleet -->'];

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    json: { type: 'string' },
    docs: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});
const say = (line: string): void => {
  process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
};
const faults = FAULTS.filter(({ name }) => values.only.split(',').some((part) => name.includes(part)));
if (faults.length === 0) {
  say(`No fault has ${values.only} in its name; there are: ${FAULTS.map(({ name }) => name).join(', ')}.`);
  process.exit(2);
}

const ended = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    say('Ending; everything that was started is taken down.');
    ended.abort();
  });
}

const outcomes = await drill({
  faults,
  signal: ended.signal,
  verbose: values.verbose,
  say,
  onOutcomes: async (soFar) => {
    if (values.json !== undefined) await writeFile(values.json, JSON.stringify(soFar, undefined, 2));
  },
});
const table = faultTable(outcomes);
process.stdout.write(`\n${table}\n\n`);
if (values.docs) {
  const page = await readFile(PAGE, 'utf8');
  const [before, after] = [page.slice(0, page.indexOf(FROM) + FROM.length), page.slice(page.indexOf(TO))];
  await writeFile(PAGE, `${before}\n\n${table}\n\n${after}`);
}
const problems = outcomes.flatMap(({ fault, problems: all }) => all.map((problem) => `${fault}: ${problem}`));
for (const problem of problems) say(`NOT AS IT SHOULD BE: ${problem}`);
if (problems.length === 0) say('Nothing was lost or held twice, and nobody elsewhere noticed anything.');
process.exitCode = problems.length === 0 && outcomes.length === faults.length ? 0 : 1;

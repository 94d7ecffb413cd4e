/**
 * `npm run fleet-drill`: three hosts under a steady crowd; each process and each host is killed, hung and cut off in
 * turn and comes back, and a table of how soon all was well again. The exit code is 1 when anything was lost, held
 * twice, or noticed on another host. `--only valkey,node1` plays those faults whose names have one of these, `--json
 * FILE` keeps all that was seen, `--docs` writes the table to docs/reliability.md. It begins no further fault after
 * `--minutes` (20); with `--resume` it goes on with those that are not in FILE, and tells of all that are.
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { drill } from './fleet/drill.ts';
import { FAULTS } from './fleet/faults.ts';
import type { Outcome } from './fleet/stage.ts';
import { faultTable } from './fleet/table.ts';

const PAGE = new URL('../../docs/reliability.md', import.meta.url);
const [FROM, TO] = ['<!-- fleet: made by npm run fleet-drill -->', '<!-- end of fleet -->'];

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    json: { type: 'string' },
    resume: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '20' },
    docs: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});
const say = (line: string): void => {
  process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
};
const wanted = FAULTS.filter(({ name }) => values.only.split(',').some((part) => name.includes(part)));
if (wanted.length === 0) {
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

const before = values.resume && values.json !== undefined && existsSync(values.json) ? await played(values.json) : [];
const faults = wanted.filter(({ name }) => !before.some(({ fault }) => fault === name));
/** As they are listed. */
const all = (now: readonly Outcome[]): readonly Outcome[] => {
  const found = new Map([...before, ...now].map((outcome) => [outcome.fault, outcome]));
  return FAULTS.flatMap(({ name }) => found.get(name) ?? []);
};
const outcomes = all(
  faults.length === 0
    ? []
    : await drill({
        faults,
        signal: ended.signal,
        withinMs: Number(values.minutes) * 60_000,
        verbose: values.verbose,
        say,
        onOutcomes: async (now) => {
          if (values.json !== undefined) await writeFile(values.json, JSON.stringify(all(now), undefined, 2));
        },
      }),
);
const table = faultTable(outcomes);
process.stdout.write(`\n${table}\n\n`);
if (values.docs) {
  const page = await readFile(PAGE, 'utf8');
  const [head, tail] = [page.slice(0, page.indexOf(FROM) + FROM.length), page.slice(page.indexOf(TO))];
  await writeFile(PAGE, `${head}\n\n${table}\n\n${tail}`);
}
const problems = outcomes.flatMap(({ fault, problems: found }) => found.map((problem) => `${fault}: ${problem}`));
const missing = wanted.filter(({ name }) => !outcomes.some(({ fault }) => fault === name));
if (missing.length > 0) say(`Not played: ${missing.map(({ name }) => name).join(', ')}.`);
for (const problem of problems) say(`NOT AS IT SHOULD BE: ${problem}`);
if (problems.length === 0) say('Nothing was lost or held twice, and nobody elsewhere noticed anything.');
process.exitCode = problems.length === 0 && missing.length === 0 ? 0 : 1;

async function played(file: string): Promise<readonly Outcome[]> {
  return JSON.parse(await readFile(file, 'utf8')) as readonly Outcome[];
}

/**
 * `npm run hostile-crowd -- --minutes 60`: honest visitors alone, then beside twenty hostile ones, and tables of what
 * became of both. The exit code is 1 when a goal is missed. `--docs` writes the tables to docs/security.md; `--attacks
 * disk,log` leaves only those whose names have one of these; with `--changing-addresses` attackers come from another
 * address every time.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { ATTACKS, POOL_BURNERS } from './crowd/attacks.ts';
import { drill } from './crowd/drill.ts';
import { misses, tablesOf } from './crowd/report.ts';

const PAGE = new URL('../../docs/security.md', import.meta.url);
const [FROM, TO] = ['<!-- hostile crowd: made by npm run hostile-crowd -->', '<!-- end of hostile crowd -->'];

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    quiet: { type: 'string', default: '2' },
    honest: { type: 'string', default: '20' },
    attacks: { type: 'string', default: '' },
    json: { type: 'string' },
    docs: { type: 'boolean', default: false },
    'changing-addresses': { type: 'boolean', default: false },
  },
});
const [minutes, quiet, honest] = [values.minutes, values.quiet, values.honest].map(Number);
const say = (line: string): void => {
  process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
};
if (!(Number(minutes) > 0) || !(Number(quiet) > 0) || !(Number(honest) > 0)) {
  say('--minutes of the crowd, --quiet minutes before it, and --honest visitors are numbers above 0.');
  process.exit(2);
}

const ended = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    say('Ending; everything that was started is taken down.');
    ended.abort();
  });
}

const seen = await drill({
  quietMs: Number(quiet) * 60_000,
  crowdMs: Number(minutes) * 60_000,
  honest: Number(honest),
  attacks: ATTACKS.filter(({ name }) => values.attacks.split(',').some((part) => name.includes(part))),
  poolBurners: values.attacks === '' ? POOL_BURNERS : 0,
  changing: values['changing-addresses'],
  signal: ended.signal,
  say,
});
const addresses = values['changing-addresses'] ? 'another address every time' : 'the same address each';
const told = `${minutes} minutes after ${quiet} quiet ones, ${honest} honest visitors; attackers from ${addresses}.`;
const tables = `${told}\n\n${tablesOf(seen)}`;
process.stdout.write(`\n${tables}\n\n`);
if (values.json !== undefined) await writeFile(values.json, JSON.stringify(seen));
if (values.docs) {
  const page = await readFile(PAGE, 'utf8');
  const [before, after] = [page.slice(0, page.indexOf(FROM) + FROM.length), page.slice(page.indexOf(TO))];
  await writeFile(PAGE, `${before}\n\n${tables}\n\n${after}`);
}
const problems = misses(seen);
for (const problem of problems) say(`MISSED: ${problem}`);
if (problems.length === 0) say('Every goal is met.');
process.exitCode = problems.length === 0 ? 0 : 1;

/**
 * `npm run outages [part …]`: every outage at length, a table of what everybody saw, and
 * the same table in docs/reliability.md.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { PARTS } from './outage-world.ts';
import type { Outcome } from './outage-drill.ts';
import { SCENARIOS } from './outage-scenarios.ts';
import { outageTable } from './outage-table.ts';
import { engineFor, openStage } from './outage-worlds.ts';
import { describeError } from '../../src/domain/errors.ts';

const PHASES = { beforeMs: 2_000, outageMs: 10_000, patienceMs: 90_000 };
const PAGE = new URL('../../docs/reliability.md', import.meta.url);
const [FROM, TO] = ['<!-- outages: made by npm run outages -->', '<!-- end of outages -->'];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(PARTS as readonly string[]).includes(name));
if (unknown.length > 0) {
  console.error(`There is no part named ${unknown.join(', ')}; there are: ${PARTS.join(', ')}.`);
  process.exit(2);
}

const outcomes: Outcome[] = [];
let failed = 0;
for (const engine of ['simulated', 'podman'] as const) {
  const scenarios = SCENARIOS.filter(
    (scenario) => engineFor(scenario) === engine && (wanted.length === 0 || wanted.includes(scenario.part)),
  );
  if (scenarios.length === 0) continue;
  console.log(`Starting every part, with ${engine} instances …`);
  await using staged = await openStage(engine, PHASES, { databases: scenarios.some(({ part }) => part === 'mariadb') });
  for (const scenario of scenarios) {
    console.log(`\n${scenario.part} ${scenario.kind} …`);
    try {
      const { outcome, problems } = await staged.play(scenario);
      outcomes.push(outcome);
      console.log(outageTable([outcome]).split('\n').at(-1));
      if (problems.length === 0) continue;
      failed += 1;
      console.log([...outcome.seconds, ...problems.map((problem) => `NOT AS IT SHOULD BE: ${problem}`)].join('\n'));
    } catch (error) {
      failed += 1;
      console.log(`FAILED: ${describeError(error)}\n${staged.world.serverLog()}`);
    }
  }
}
const table = outageTable(outcomes);
console.log(`\n${table}`);
if (wanted.length === 0) {
  const page = await readFile(PAGE, 'utf8');
  await writeFile(
    PAGE,
    `${page.slice(0, page.indexOf(FROM) + FROM.length)}\n${table}\n${page.slice(page.indexOf(TO))}`,
  );
  console.log('Written to docs/reliability.md');
}
process.exitCode = failed === 0 ? 0 : 1;

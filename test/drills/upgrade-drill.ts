/**
 * `npm run upgrade-drill [-- --from COMMIT --hold SECONDS --workers-first]`: an older version of this project is built
 * from git and replaced, process by process, by what is checked out here, and back again, while visitors come. Fails
 * when any of them lost anything, or anything is left behind.
 */
import { parseArgs } from 'node:util';
import { UpgradeDrill } from './upgrade/drill.ts';
import { buildVersion, earlierCommit, present } from './upgrade/versions.ts';

const { values } = parseArgs({
  options: {
    from: { type: 'string' },
    hold: { type: 'string', default: '10' },
    'workers-first': { type: 'boolean', default: false },
  },
});
const holdMs = Number(values.hold) * 1_000;
if (!(holdMs > 0)) {
  console.error('--hold takes seconds, such as 10');
  process.exit(2);
}
await using old = await buildVersion(values.from ?? (await earlierCommit()));
console.log(`From ${old.title} to ${present.title} and back`);
const { phases, problems } = await UpgradeDrill.play({
  old,
  fresh: present,
  holdMs,
  workersFirst: values['workers-first'],
  say: (line) => console.log(line),
});
const head = ['while', 'handed out', 'asked twice'];
const rows = phases.map(({ what, handedOut, repeated }) => [what, handedOut, repeated]);
console.log(`\n${[head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')}\n`);
for (const problem of problems) console.log(`NOT AS IT SHOULD BE: ${problem}`);
console.log(problems.length === 0 ? 'Nothing was lost.' : `${problems.length} things are not as they should be.`);
process.exitCode = problems.length === 0 ? 0 : 1;

import type { Command } from 'commander';
import type { Environment } from '../../config/environment.ts';
import { runCommand } from '../run-command.ts';
import type { CleanOptions } from './command.ts';

const ENDS = `
Only what has this deployment's label or names is touched.
Refused while the server runs.

Exit code: 0 when all was removed, 1 when something could not be or the server
runs, 3 when --dry-run found something, 78 when a setting is wrong.
`;

/** For a server that is stopped: they work on the parts themselves. */
export function registerCleanCommands(cli: Command, env: Environment): void {
  const load = () => import('./command.ts');
  cleaning(
    cli
      .command('clean-demos')
      .description(
        'remove every container, network, database and user of this deployment on this ' +
          'node, while the server is stopped',
      ),
  )
    .addHelpText('after', `${ENDS}\nExamples:\n  try-it-now clean-demos --dry-run\n  try-it-now clean-demos --yes`)
    .action((options: CleanOptions) => runCommand(async () => (await load()).cleanDemos(env, options)));
  cleaning(
    cli
      .command('clean-data')
      .description("remove this deployment's keys from Valkey and its streams from NATS, while the server is stopped"),
  )
    .addHelpText('after', `${ENDS}\nExamples:\n  try-it-now clean-data --dry-run\n  try-it-now clean-data --yes`)
    .action((options: CleanOptions) => runCommand(async () => (await load()).cleanData(env, options)));
}

function cleaning(command: Command): Command {
  return command
    .option('--dry-run', 'only say what would be removed')
    .option('--yes', 'do not ask')
    .option('--force', 'also while something answers as the server')
    .option('--json', 'print JSON');
}

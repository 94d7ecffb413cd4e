import type { Command } from 'commander';
import type { Environment } from '../../config/environment.ts';
// Types alone: every start of the discovery process would wait for what is loaded here.
import type { JsonOptions } from './queue-commands.ts';
import { runCommand } from '../run-command.ts';

const load = () => import('./session-commands.ts');

/** Who is logged in to the dashboard. `notes` follow the help. */
export function registerSessions(cli: Command, env: Environment, notes: string): void {
  const sessions = cli
    .command('sessions')
    .description('who is logged in to the dashboard with a browser; needs a key with the role admin')
    .addHelpText('after', `${notes}\nExamples:\n  try-it-now sessions list\n  try-it-now sessions end ID`);
  sessions
    .command('list')
    .description('every login, the newest first')
    .option('--json', 'print JSON')
    .action((options: JsonOptions) => runCommand(async () => (await load()).list(env, options)));
  sessions
    .command('end')
    .description('log somebody out; pages that they have open end within seconds')
    .argument('<id>', 'as `list` shows it')
    .action((id: string) => runCommand(async () => (await load()).end(env, id)));
}

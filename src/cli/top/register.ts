import type { Command } from 'commander';
import type { Environment } from '../../config/environment.ts';
import { runCommand } from '../run-command.ts';
import type { TopOptions } from './command.ts';

/** Over the admin API and the server's metrics. */
export function registerTopCommand(cli: Command, env: Environment): void {
  cli
    .command('top')
    .description('watch the pools, the queue and how fast instances are handed out; q quits')
    .option('--interval <duration>', 'how often to look, such as 2s or 500ms', '1s')
    .option('--once', 'look twice, that far apart, and print what was seen, for scripts')
    .addHelpText(
      'after',
      `
Rates and latencies are of the time between two looks. It asks the server's
admin API: ADMIN_URL (http and ADMIN_ADDR without it), with OPERATOR_KEY_FILE or
OPERATOR_KEY, else the first of OPERATOR_KEYS with the highest role; and
SERVER_HOST, SERVER_PORT for the metrics.

Exit code: 0 when it was left, 1 when the server refuses, or does not answer to
--once, 78 when a setting is wrong.

Examples:
  try-it-now top
  try-it-now top --once --interval 10s`,
    )
    .action((options: TopOptions) => runCommand(async () => (await import('./command.ts')).top(env, options)));
}

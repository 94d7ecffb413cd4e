import type { Command } from 'commander';
import type { Environment } from '../../config/environment.ts';
import { runCommand } from '../run-command.ts';
import type { ReconcileOptions } from './command.ts';

/** Reads the same settings as the server and works beside it, on this node. */
export function registerReconcileCommand(cli: Command, env: Environment): void {
  cli
    .command('reconcile')
    .description(
      'detect drift between the recorded state and this node and repair it, as the server does every half minute',
    )
    .option('--dry-run', 'only say what differs, and change nothing')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Exit code: 0 when all is in order by now, 3 when --dry-run found something,
1 when something could not be checked or repaired.

Example:
  try-it-now reconcile --dry-run`,
    )
    .action((options: ReconcileOptions) =>
      runCommand(async () => (await import('./command.ts')).reconcileNow(env, options)),
    );
}

import type { Command } from 'commander';
import type { Environment } from '../../config/environment.ts';
import { runCommand } from '../run-command.ts';
import type { BackupOptions, RestoreOptions } from './command.ts';

/** Both work on the parts themselves, with the settings of the server. */
export function registerBackupCommands(cli: Command, env: Environment): void {
  const load = () => import('./command.ts');
  cli
    .command('backup')
    .description(
      'save what nothing makes again: decisions, audit log, bans, counts, events that webhooks have not taken',
    )
    .argument('[file]', 'where to; without it try-it-now-DEPLOYMENT-TIME.tar.gz in this folder')
    .option('--checkpoints', 'with the promoted checkpoints on this node, which are large')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
The server may run. Settings, catalogue and key files are not in it: they are
files of yours. It holds what visitors told and what operators wrote.

Examples:
  try-it-now backup
  try-it-now backup /var/backups/try-it-now.tar.gz --checkpoints`,
    )
    .action((file: string | undefined, options: BackupOptions) =>
      runCommand(async () => (await load()).backup(env, file, options)),
    );
  cli
    .command('restore')
    .description('put back what a backup holds, while the server is stopped')
    .argument('<file>', 'made by `backup`')
    .option('--dry-run', 'only say what would be put back, and what it would replace')
    .option('--replace', 'also where this deployment has state of its own, which is lost')
    .option('--yes', 'do not ask')
    .option('--force', 'also while something answers as the server')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Everything is checked before anything changes.

Exit code: 0 when all was put back, 1 when it was not, 78 when a setting is
wrong.

Examples:
  try-it-now restore try-it-now.tar.gz --dry-run
  try-it-now restore try-it-now.tar.gz`,
    )
    .action((file: string, options: RestoreOptions) =>
      runCommand(async () => (await load()).restore(env, file, options)),
    );
}

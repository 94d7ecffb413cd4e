import type { Command } from 'commander';
import type { Environment } from '../../config/environment.ts';
import { runCommand } from '../run-command.ts';
import type { DoctorOptions } from './command.ts';

/** Reads the same settings as the server, and looks at its parts whether or not it runs. */
export function registerDoctorCommand(cli: Command, env: Environment): void {
  cli
    .command('doctor')
    .description('look at every part, and say what is wrong and what to do about it; repairs nothing')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Exit code: 0 when nothing failed (there may be warnings), 1 when a check failed.

Examples:
  try-it-now doctor
  try-it-now doctor --json | jq '.checks[] | select(.verdict == "failure")'`,
    )
    .action((options: DoctorOptions) => runCommand(async () => (await import('./command.ts')).doctor(env, options)));
}

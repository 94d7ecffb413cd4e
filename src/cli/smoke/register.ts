import type { Command } from 'commander';
import type { Environment } from '../../config/environment.ts';
import { runCommand } from '../run-command.ts';
import type { SmokeOptions } from './command.ts';

/** Uses nothing but what a visitor uses, so it may run anywhere. */
export function registerSmokeCommand(cli: Command, env: Environment): void {
  cli
    .command('smoke')
    .description(
      'take an instance, open it, extend it, watch it and give it back, as a visitor would, with the time of each step',
    )
    .option('--template <name>', 'which app; without it the first of the catalogue')
    .option('--url <url>', 'where the API is; without it SERVER_HOST and SERVER_PORT')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
The key of the API comes from API_KEY_FILE or API_KEY. The instance is given
back also after a failure and after Ctrl-C.

Exit code: 0 when every step passed, 1 when one failed, 130 after Ctrl-C,
78 when a setting is wrong.

Examples:
  try-it-now smoke
  try-it-now smoke --template wordpress --url https://try.example.org`,
    )
    .action((options: SmokeOptions) => runCommand(async () => (await import('./command.ts')).smoke(env, options)));
}

import type { Command } from 'commander';
import type { Environment } from '../../config/environment.ts';
import { runCommand } from '../run-command.ts';
import type { PlanOptions } from './command.ts';

/** Arithmetic alone: it asks no server. */
export function registerPlanCommand(cli: Command, env: Environment): void {
  cli
    .command('plan')
    .description('how large a pool should be, what memory it takes and who waits, from how many come and stay how long')
    .requiredOption('--arrivals <rate>', 'clicks per minute, hour or day, such as 40/h')
    .requiredOption('--start <duration>', 'how long a start takes until it is ready, such as 8s')
    .option('--stay <duration>', 'how long visitors stay; without it the ttl of the template')
    .option(
      '--template <name>',
      'of the catalogue: its ttl, memory limit, pool.max and cover, where they are not given',
    )
    .option('--memory <size>', 'that an instance takes, such as 256MiB')
    .option('--cover <percent>', 'the share of clicks that should find one ready, such as 95%')
    .option('--max <number>', 'how many may exist at once; without it as many as are needed')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
What stands ready is reckoned as base stock, who finds all taken by Erlang's
formulas B and C: see docs/autosize.md.

Exit code: 0, or 1 when an option is wrong, 78 when a setting is.

Examples:
  try-it-now plan --arrivals 40/h --stay 15m --start 8s --memory 256MiB
  try-it-now plan --arrivals 3/m --start 1.2s --template hello`,
    )
    .action((options: PlanOptions) => runCommand(async () => (await import('./command.ts')).plan(env, options)));
}

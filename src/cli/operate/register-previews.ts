import { Option, type Command } from 'commander';
import type { Environment } from '../../config/environment.ts';
// Types alone: every start of the discovery process would wait for what is loaded here.
import type { PutOptions } from './preview-commands.ts';
import type { JsonOptions } from './queue-commands.ts';
import { runCommand } from '../run-command.ts';

const load = () => import('./preview-commands.ts');

/** Copies of templates with another image. `notes` follow the help. */
export function registerPreviews(cli: Command, env: Environment, notes: string): void {
  const previews = cli
    .command('previews')
    .description('copies of templates with another image, such as that of a pull request, which end by themselves')
    .addHelpText(
      'after',
      `${notes}
Examples:
  try-it-now previews list
  try-it-now previews put shop-pr-12 --from shop --image ghcr.io/acme/shop:pr-12-1a2b3c4 --for 3d
  try-it-now previews remove shop-pr-12`,
    );
  previews
    .command('list')
    .description('every preview, how it does, and why it does not come up')
    .option('--json', 'print JSON')
    .action((options: JsonOptions) => runCommand(async () => (await load()).listPreviews(env, options)));
  previews
    .command('put')
    .description('offer a copy of a template, in place of an earlier one of this name')
    .argument('<name>', 'what it is called, as templates are')
    .requiredOption('--from <template>', 'the template, which has to allow it (`previews`)')
    .requiredOption('--image <image>', "in place of the template's")
    .option('--title <text>', 'what visitors read')
    .addOption(
      new Option('--for <duration>', 'until it ends by itself, such as 3d; without it, as long as the template allows'),
    )
    .addOption(new Option('--until <time>', 'when it ends, such as 2027-03-31T16:00:00Z').conflicts('for'))
    .option('--json', 'print JSON')
    .action((name: string, options: PutOptions) =>
      runCommand(async () => (await load()).putPreview(env, name, options)),
    );
  previews
    .command('remove')
    .description('end one before its time; visits go on')
    .argument('<name>', 'as `list` shows it')
    .action((name: string) => runCommand(async () => (await load()).removePreview(env, name)));
}

import { InvalidArgumentError, type Command } from 'commander';
import type { Environment } from '../../config/environment.ts';
// Nothing here may load a schema library: every start of the discovery process would wait for it.
import { isCheckpointId } from '../../domain/ids.ts';
import { runCommand } from '../run-command.ts';
import type { OutputOptions } from './output-options.ts';

/**
 * Commands over the checkpoints on this node's disk and the promotions in Valkey. They read the
 * same settings as the server.
 */
export function registerCheckpointCommands(cli: Command, env: Environment): void {
  const group = cli
    .command('checkpoint')
    .description('make, verify, promote and delete checkpoints, which instances are restored from');
  const load = () => import('./commands.ts');

  group
    .command('create')
    .description('start the app of a template, warm it up and dump it; with --promote also verify and promote it')
    .argument('<template>', 'name of the template')
    .option('--promote', 'restore the template from it as soon as it is verified')
    .option('--json', 'print the metadata as JSON')
    .addHelpText('after', '\nExample:\n  try-it-now checkpoint create hello --promote')
    .action((template: string, options: OutputOptions & { readonly promote?: true }) =>
      runCommand(async () => (await load()).create(env, template, options)),
    );
  group
    .command('list')
    .description('the checkpoints on this node, newest first, and which are promoted')
    .option('--json', 'print JSON')
    .action((options: OutputOptions) => runCommand(async () => (await load()).list(env, options)));
  group
    .command('inspect')
    .description('everything known about one checkpoint')
    .argument('<id>', 'as `list` shows it', checkpointId)
    .option('--json', 'print JSON')
    .action((id: string, options: OutputOptions) => runCommand(async () => (await load()).inspect(env, id, options)));
  group
    .command('verify')
    .description('check its files, restore two clones, activate both and see that each is its own')
    .argument('<id>', 'as `list` shows it', checkpointId)
    .option('--json', 'print JSON')
    .action((id: string, options: OutputOptions) => runCommand(async () => (await load()).verify(env, id, options)));
  group
    .command('promote')
    .description('verify it and have every node restore its template from it; idle instances are replaced gradually')
    .argument('<id>', 'as `list` shows it', checkpointId)
    .option('--json', 'print JSON')
    .action((id: string, options: OutputOptions) => runCommand(async () => (await load()).promote(env, id, options)));
  group
    .command('rollback')
    .description('go back to the checkpoint promoted before, or to cold starts when there is none')
    .argument('<template>', 'name of the template')
    .option('--json', 'print JSON')
    .action((template: string, options: OutputOptions) =>
      runCommand(async () => (await load()).rollback(env, template, options)),
    );
  group
    .command('prune')
    .description('delete old checkpoints; never one that is promoted or can be gone back to')
    .option('--keep <number>', 'how many of the others to keep of each template', wholeNumber, 1)
    .option('--yes', 'delete without asking')
    .action((options: { readonly keep: number; readonly yes?: true }) =>
      runCommand(async () => (await load()).prune(env, options)),
    );
}

function checkpointId(text: string): string {
  if (!isCheckpointId(text))
    throw new InvalidArgumentError(
      'A checkpoint id is 16 hexadecimal digits; `try-it-now checkpoint list` shows them.',
    );
  return text;
}

function wholeNumber(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('It must be a whole number, 0 or more.');
  return Number(text);
}

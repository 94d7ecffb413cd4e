import type { Command } from 'commander';
import type { Environment } from '../../config/environment.ts';
// Types alone: every start of the discovery process would wait for what is loaded here.
import type { NodeDrainOptions, NodeOptions } from './node-commands.ts';
import { runCommand } from '../run-command.ts';

const load = () => import('./node-commands.ts');

/** The hosts that hold instances. `notes` follow the help. */
export function registerNodes(cli: Command, env: Environment, notes: string): void {
  const nodes = cli
    .command('nodes')
    .description('the hosts that hold instances: look at them, cordon, drain and remove them')
    .addHelpText(
      'after',
      `${notes}
Examples:
  try-it-now nodes list
  try-it-now nodes show node1
  try-it-now nodes drain node1 --deadline 30m
  try-it-now nodes uncordon node1
  try-it-now nodes remove node1 --force`,
    );
  nodes
    .command('list')
    .description('every node, with what it holds and why it gets nothing')
    .option('--json', 'print JSON')
    .action((options: NodeOptions) => runCommand(async () => (await load()).list(env, options)));
  named(nodes.command('show').description('everything about one')).action((name: string, options: NodeOptions) =>
    runCommand(async () => (await load()).show(env, name, options)),
  );
  named(
    nodes
      .command('cordon')
      .description('give it no new instances; what is ready there may still be handed out. It holds through restarts'),
  ).action((name: string, options: NodeOptions) => runCommand(async () => (await load()).cordon(env, name, options)));
  named(
    nodes
      .command('drain')
      .description(
        'empty it: what is ready there goes once others are ready elsewhere, visitors finish until the deadline; ' +
          'asks first',
      ),
  )
    .option('--deadline <duration>', 'end what is left there after this time', '30m')
    .option('--yes', 'do not ask')
    .action((name: string, options: NodeDrainOptions) =>
      runCommand(async () => (await load()).drain(env, name, options)),
    );
  named(nodes.command('uncordon').description('give it instances again: ends a cordon or a drain')).action(
    (name: string, options: NodeOptions) => runCommand(async () => (await load()).uncordon(env, name, options)),
  );
  named(nodes.command('remove').description('forget a silent node whose host is gone or empty; asks first'))
    .option('--force', 'also with instances recorded on it, which are discarded')
    .option('--yes', 'do not ask')
    .action((name: string, options: NodeOptions & { readonly force?: true }) =>
      runCommand(async () => (await load()).remove(env, name, options)),
    );
}

function named(command: Command): Command {
  return command.argument('<node>', 'its name, as `list` shows it').option('--json', 'print JSON');
}

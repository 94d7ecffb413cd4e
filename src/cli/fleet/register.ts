import type { Command } from 'commander';
import type { Environment } from '../../config/environment.ts';
// Types alone: every start of the discovery process would wait for what is loaded here.
import type { InitOptions, JoinOptions, TokenOptions } from './commands.ts';
import { runCommand } from '../run-command.ts';

const SETTINGS_FOLDER = '/etc/try-it-now';
const UNITS_FOLDER = '/etc/systemd/system';

/** How hosts become one deployment. As root: they read and write the settings of the services. */
export function registerFleetCommands(cli: Command, env: Environment): void {
  const load = () => import('./commands.ts');
  const fleet = cli
    .command('fleet')
    .description('make several hosts one deployment')
    .addHelpText(
      'after',
      `
On the first host:
  try-it-now fleet init
  try-it-now fleet join-token
On a further host, in a clone of the same version; it asks for the token:
  make setup install ROLE=worker JOIN=-`,
    );
  inFolder(
    fleet
      .command('init')
      .description(
        'have Valkey and NATS of this host let other hosts in: by TLS, with certificates and logins of its own',
      )
      .option('--address <address>', 'of this host on the network of the others (default: its only private one)'),
  )
    .option('--units-dir <folder>', 'where systemd looks for changes to its units', UNITS_FOLDER)
    .action((options: InitOptions) => runCommand(async () => (await load()).init(options)));
  inFolder(
    fleet
      .command('join-token')
      .description('print what a further host needs to join, and how. Whoever has it gets into Valkey and NATS')
      .option('--ttl <duration>', 'how long it is accepted', '24h'),
  ).action((options: TokenOptions) => runCommand(async () => (await load()).token(env, options)));
  inFolder(
    fleet
      .command('join')
      .description(
        'write the settings of this host, a further one, from a join token; nothing is written where it fails',
      )
      .option('--token-file <file>', 'the token; - reads standard input, or asks where that is a terminal', '-')
      .option('--name <name>', 'of this node (default: the name of the host)')
      .option(
        '--address <address>',
        'where proxies reach this host (default: as it was given before, or the one towards Valkey)',
      ),
  ).action((options: JoinOptions) => runCommand(async () => (await load()).join(options)));
}

function inFolder(command: Command): Command {
  return command.option('--settings-dir <folder>', 'where try-it-now.env is', SETTINGS_FOLDER);
}

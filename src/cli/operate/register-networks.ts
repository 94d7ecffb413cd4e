import type { Command } from 'commander';
import type { Environment } from '../../config/environment.ts';
// Types alone: every start of the discovery process would wait for what is loaded here.
import type { AllowanceOptions, BanOptions } from './network-commands.ts';
import type { JsonOptions } from './queue-commands.ts';
import { runCommand } from '../run-command.ts';
import { wholeNumber } from './whole-number.ts';

const NETWORK = 'an address or a CIDR block, such as 203.0.113.7 or 2001:db8:1::/48';
const load = () => import('./network-commands.ts');

/** Which networks of clients get nothing, and which may have more than others. `notes` follow each help. */
export function registerNetworks(cli: Command, env: Environment, notes: string): void {
  const bans = cli
    .command('bans')
    .description('networks of clients that nothing is handed out to, each until its end')
    .addHelpText(
      'after',
      `${notes}
Examples:
  try-it-now bans list
  try-it-now bans suspects
  try-it-now bans harm
  try-it-now bans forgive 203.0.113.7
  try-it-now bans add 203.0.113.7 --for 2d --reason 'Burns the pool' --end
  try-it-now bans remove 203.0.113.7`,
    );
  listing(bans, async (options) => (await load()).listBans(env, options));
  bans
    .command('suspects')
    .description('who took an unusual share of the instances within a day, with the command that bans them')
    .option('--json', 'print JSON')
    .action((options: JsonOptions) => runCommand(async () => (await load()).listSuspects(env, options)));
  bans
    .command('harm')
    .description('whose visits were ended lately because they harmed others, and what that means for them')
    .option('--json', 'print JSON')
    .action((options: JsonOptions) => runCommand(async () => (await load()).listHarm(env, options)));
  bans
    .command('forgive')
    .description('forget what somebody did: they get instances as anybody does')
    .argument('<who>', 'an address, a network, or the digest of a browser, as `bans harm` names them')
    .action((who: string) => runCommand(async () => (await load()).forgive(env, who)));
  rule(bans, 'hand nothing out to a network; what its clients hold, they keep, but cannot extend')
    .option('--reason <text>', 'why; its clients see it')
    .option('--end', 'end what its clients hold as well; asks first')
    .option('--yes', 'do not ask')
    .action((network: string, options: BanOptions) =>
      runCommand(async () => (await load()).addBan(env, network, options)),
    );
  removing(bans, env, 'bans');

  const allowances = cli
    .command('allowances')
    .description('networks of clients that may have more than others, such as a class behind one address')
    .addHelpText(
      'after',
      `${notes}
Examples:
  try-it-now allowances list
  try-it-now allowances add 198.51.100.20 --held 40 --for 3h --reason 'Course of the library'
  try-it-now allowances remove 198.51.100.20`,
    );
  listing(allowances, async (options) => (await load()).listAllowances(env, options));
  rule(allowances, 'let the addresses of a network hold more at once, and take as often as they like')
    .requiredOption('--held <number>', 'how many each address may hold at once', wholeNumber(10_000))
    .option('--reason <text>', 'why, for other operators')
    .action((network: string, options: AllowanceOptions) =>
      runCommand(async () => (await load()).addAllowance(env, network, options)),
    );
  removing(allowances, env, 'allowances');
}

function listing(group: Command, list: (options: JsonOptions) => Promise<void>): void {
  group
    .command('list')
    .description('those there are, the one that ends first first')
    .option('--json', 'print JSON')
    .action((options: JsonOptions) => runCommand(() => list(options)));
}

function rule(group: Command, description: string): Command {
  return group
    .command('add')
    .description(`${description}; in place of an earlier one of the same network`)
    .argument('<network>', NETWORK)
    .option('--for <duration>', 'until it ends by itself, such as 3h or 7d', '7d')
    .option('--json', 'print JSON');
}

function removing(group: Command, env: Environment, which: 'bans' | 'allowances'): void {
  group
    .command('remove')
    .description('end one before its time')
    .argument('<network>', NETWORK)
    .action((network: string) => runCommand(async () => (await load()).remove(env, which, network)));
}

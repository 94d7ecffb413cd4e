import { Argument, Option, type Command } from 'commander';
import type { Environment } from '../../config/environment.ts';
// Types alone: every start of the discovery process would wait for what is loaded here.
import type { FunnelOptions } from './funnel-command.ts';
import type { ListOptions } from './instance-commands.ts';
import type { PoolOptions } from './pool-commands.ts';
import type { EventOptions } from './pool-event-commands.ts';
import type { JsonOptions, LimitOptions } from './queue-commands.ts';
import type { ReplayOptions } from './webhook-commands.ts';
import { runCommand } from '../run-command.ts';
import { registerImages } from './register-images.ts';
import { registerNodes } from './register-nodes.ts';
import { registerNetworks } from './register-networks.ts';
import { registerPreviews } from './register-previews.ts';
import { registerSessions } from './register-sessions.ts';
import { wholeNumber } from './whole-number.ts';

const EXIT_CODES = `
Exit code: 0 when it was done, 1 when it was refused or the server does not
answer, 78 when a setting is wrong. The server's admin API is asked: ADMIN_URL
(http and ADMIN_ADDR without it), with OPERATOR_KEY_FILE or OPERATOR_KEY, else
the first of OPERATOR_KEYS with the highest role.
`;
const NAMED = 'its id as `list` shows it, its address, or the name of its visit';
const STATES = ['warming', 'ready', 'assigned', 'releasing', 'quarantined'];

interface Registration {
  readonly group: Command;
  readonly env: Environment;
}

/** What an operator does while the server runs, over its admin API. */
export function registerOperatorCommands(cli: Command, env: Environment): void {
  registerPool({
    group: cli.command('pool').description('how the pools do; pause, drain and scale them while the server runs'),
    env,
  });
  registerInstances({
    group: cli.command('instances').description('list, look at and end instances, and read what their apps wrote'),
    env,
  });
  registerQueue({ group: cli.command('queue').description('the tasks that build instances and take them down'), env });
  registerWebhooks({
    group: cli.command('webhooks').description('those who are told what happens in visits, and what they did not take'),
    env,
  });
  registerNodes(cli, env, EXIT_CODES);
  registerImages(cli, env, EXIT_CODES);
  registerNetworks(cli, env, EXIT_CODES);
  registerPreviews(cli, env, EXIT_CODES);
  registerSessions(cli, env, EXIT_CODES);
  cli
    .command('funnel')
    .description('what came of the clicks, by template and embedding site')
    .option('--days <number>', 'of so many days, today included', wholeNumber(90), 7)
    .option('--json', 'print JSON')
    .addHelpText('after', `${EXIT_CODES}\nExample:\n  try-it-now funnel --days 30`)
    .action((options: FunnelOptions) =>
      runCommand(async () => (await import('./funnel-command.ts')).funnel(env, options)),
    );
  cli
    .command('audit')
    .description('what operators did, the newest first')
    .option('--limit <number>', 'at most so many', wholeNumber(10_000), 50)
    .option('--json', 'print JSON')
    .addHelpText('after', `${EXIT_CODES}\nExample:\n  try-it-now audit --limit 10`)
    .action((options: LimitOptions) =>
      runCommand(async () => (await import('./audit-command.ts')).audit(env, options)),
    );
}

function registerPool({ group, env }: Registration): void {
  const load = () => import('./pool-commands.ts');
  group.addHelpText(
    'after',
    `${EXIT_CODES}
Examples:
  try-it-now pool stats
  try-it-now pool pause hello --reason 'Back at three'
  try-it-now pool drain --all --within 10m --wait --yes
  try-it-now pool scale hello 5 --for 2h
  try-it-now pool event add hello --from 2027-03-01T09:00 --to 2027-03-01T09:15 --target 30
  try-it-now pool failures hello`,
  );
  group
    .command('stats')
    .description('every pool, and what was decided about it')
    .option('--json', 'print JSON')
    .action((options: PoolOptions) => runCommand(async () => (await load()).stats(env, options)));
  which(
    group
      .command('pause')
      .description(
        'hand nothing out; idle instances stay warm, and visitors keep what they have. It holds through restarts',
      ),
  )
    .option('--reason <text>', 'why, in words for visitors')
    .action((template: string | undefined, options: PoolOptions) =>
      runCommand(async () => (await load()).pause(env, template, options)),
    );
  registerDrain({ group, env });
  registerEvents({ group, env });
  group
    .command('failures')
    .description('why the last attempts at an instance of a template failed, and what the app wrote')
    .argument('<template>', 'name of the template')
    .option('--json', 'print JSON')
    .action((template: string, options: JsonOptions) =>
      runCommand(async () => (await load()).failures(env, template, options)),
    );
  which(group.command('resume').description('end a pause or a drain')).action(
    (template: string | undefined, options: PoolOptions) =>
      runCommand(async () => (await load()).resume(env, template, options)),
  );
  group
    .command('scale')
    .description('set how many should stand ready, in place of the configured target; it holds through restarts')
    .argument('<template>', 'name of the template')
    .argument('<target>', "a number up to the pool's max, or `configured`")
    .option('--for <duration>', 'only for so long, such as 2h')
    .option('--json', 'print JSON')
    .action((template: string, target: string, options: PoolOptions) =>
      runCommand(async () => (await load()).scale(env, template, target, options)),
    );
}

/** Of pools that size themselves. */
function registerEvents({ group, env }: Registration): void {
  const load = () => import('./pool-event-commands.ts');
  const event = group
    .command('event')
    .description('times for which more are to stand ready of a pool that sizes itself');
  event
    .command('list')
    .description('those that are not over')
    .argument('[template]', 'name of the template; all without it')
    .option('--json', 'print JSON')
    .action((template: string | undefined, options: JsonOptions) =>
      runCommand(async () => (await load()).listEvents(env, template, options)),
    );
  event
    .command('add')
    .description('have so many ready from one time to another; they are begun early enough before')
    .argument('<template>', 'name of the template')
    .requiredOption('--from <time>', 'such as 2027-03-01T09:00, in the time zone of this machine, or with one')
    .requiredOption('--to <time>', 'until when')
    .requiredOption('--target <number>', 'how many', wholeNumber(10_000))
    .option('--name <name>', 'what to call it; its begin without it. One of the same name is replaced')
    .option('--json', 'print JSON')
    .action((template: string, options: EventOptions) =>
      runCommand(async () => (await load()).addEvent(env, template, options)),
    );
  event
    .command('remove')
    .description('forget one')
    .argument('<template>', 'name of the template')
    .argument('<name>', 'as listed')
    .action((template: string, name: string) =>
      runCommand(async () => (await load()).removeEvent(env, template, name)),
    );
}

function registerDrain({ group, env }: Registration): void {
  which(
    group
      .command('drain')
      .description(
        'hand nothing out and remove the idle instances; visitors keep what they have, or lose it after --within',
      ),
  )
    .option('--within <duration>', 'end what visitors still hold after this time, such as 10m; asks first')
    .option('--reason <text>', 'why, in words for visitors')
    .option('--wait', 'show the progress until nobody is left; Ctrl-C leaves the drain on')
    .option('--yes', 'do not ask')
    .addHelpText(
      'after',
      `
Exit code: 0 when it was done, and with --wait when nobody is left; 1 when it
was refused or somebody ended it meanwhile; 130 when --wait was interrupted.

Example:
  try-it-now pool drain hello --within 10m --wait`,
    )
    .action((template: string | undefined, options: PoolOptions) =>
      runCommand(async () => (await import('./pool-commands.ts')).drain(env, template, options)),
    );
}

function which(command: Command): Command {
  return command
    .argument('[template]', 'name of the template')
    .option('--all', 'every template')
    .option('--json', 'print JSON');
}

function registerInstances({ group, env }: Registration): void {
  const load = () => import('./instance-commands.ts');
  group.addHelpText(
    'after',
    `${EXIT_CODES}
Examples:
  try-it-now instances list --state quarantined
  try-it-now instances end https://LABEL.demo.example.org/
  try-it-now instances logs ID --tail 50`,
  );
  group
    .command('list')
    .description('every instance, oldest first; quarantined ones with the reason')
    .option('--template <name>', 'only of this template')
    .addOption(new Option('--state <state>', 'only in this state').choices(STATES))
    .option('--node <name>', 'only on this node')
    .option('--json', 'print JSON')
    .action((options: ListOptions) => runCommand(async () => (await load()).list(env, options)));
  group
    .command('show')
    .description('everything about one')
    .argument('<instance>', NAMED)
    .option('--json', 'print JSON')
    .action((named: string, options: JsonOptions) => runCommand(async () => (await load()).show(env, named, options)));
  group
    .command('release')
    .alias('end')
    .description('end one, no matter who holds it; asks first')
    .argument('<instance>', NAMED)
    .option('--yes', 'do not ask')
    .option('--json', 'print JSON')
    .action((named: string, options: JsonOptions & { readonly yes?: true }) =>
      runCommand(async () => (await load()).release(env, named, options)),
    );
  group
    .command('logs')
    .description('the last lines its app wrote')
    .argument('<instance>', NAMED)
    .option('--tail <lines>', 'how many', wholeNumber(5_000), 200)
    .action((named: string, options: { readonly tail: number }) =>
      runCommand(async () => (await load()).logs(env, named, options)),
    );
}

function registerQueue({ group, env }: Registration): void {
  const load = () => import('./queue-commands.ts');
  const limited = (command: Command): Command =>
    command.option('--limit <number>', 'at most so many', wholeNumber(1_000), 50).option('--json', 'print JSON');
  group.addHelpText(
    'after',
    `${EXIT_CODES}
Examples:
  try-it-now queue info
  try-it-now queue dead
  try-it-now queue retry --all
  try-it-now queue purge provision --yes`,
  );
  group
    .command('info')
    .description('how much waits, and who works on it')
    .option('--json', 'print JSON')
    .action((options: JsonOptions) => runCommand(async () => (await load()).info(env, options)));
  limited(group.command('peek').description('the oldest tasks; takes nothing out')).action((options: LimitOptions) =>
    runCommand(async () => (await load()).peek(env, options)),
  );
  limited(group.command('dead').description('dead-lettered tasks, with the reason')).action((options: LimitOptions) =>
    runCommand(async () => (await load()).dead(env, options)),
  );
  group
    .command('retry')
    .description('queue dead tasks again')
    .argument('[sequence]', 'as `dead` shows it')
    .option('--all', 'all of them')
    .option('--json', 'print JSON')
    .action((sequence: string | undefined, options: JsonOptions & { readonly all?: true }) =>
      runCommand(async () => (await load()).retry(env, sequence, options)),
    );
  group
    .command('drop')
    .description('discard one task; asks first')
    .argument('<sequence>', 'as `peek` shows it, or `dead` with --dead')
    .option('--dead', 'a dead one')
    .option('--yes', 'do not ask')
    .option('--json', 'print JSON')
    .action((sequence: string, options: JsonOptions & { readonly yes?: true; readonly dead?: true }) =>
      runCommand(async () => (await load()).drop(env, sequence, options)),
    );
  group
    .command('purge')
    .description('discard all tasks of one kind; asks first')
    .addArgument(new Argument('<which>', 'what to discard').choices(['provision', 'cleanup', 'dead']))
    .option('--yes', 'do not ask')
    .option('--json', 'print JSON')
    .action((kind: 'provision' | 'cleanup' | 'dead', options: JsonOptions & { readonly yes?: true }) =>
      runCommand(async () => (await load()).purge(env, kind, options)),
    );
}

function registerWebhooks({ group, env }: Registration): void {
  const load = () => import('./webhook-commands.ts');
  const named = (command: Command): Command =>
    command.argument('<webhook>', 'its name in WEBHOOKS_FILE').option('--json', 'print JSON');
  group.addHelpText(
    'after',
    `${EXIT_CODES}
Examples:
  try-it-now webhooks list
  try-it-now webhooks test crm
  try-it-now webhooks dead
  try-it-now webhooks replay crm --dead`,
  );
  group
    .command('list')
    .description('how deliveries go, and how much waits')
    .option('--json', 'print JSON')
    .action((options: JsonOptions) => runCommand(async () => (await load()).list(env, options)));
  named(group.command('test').description('send a test, once and now; exit code 1 when it is not taken')).action(
    (webhook: string, options: JsonOptions) => runCommand(async () => (await load()).test(env, webhook, options)),
  );
  group
    .command('dead')
    .description('events that a webhook did not take for too long, with the reason')
    .option('--limit <number>', 'at most so many', wholeNumber(1_000), 50)
    .option('--json', 'print JSON')
    .action((options: LimitOptions) => runCommand(async () => (await load()).dead(env, options)));
  named(group.command('replay').description('deliver again, with the ids they had, after what waits already'))
    .option('--dead', 'what is dead')
    .option('--within <duration>', 'what happened in this time up to now, such as 2h')
    .action((webhook: string, options: ReplayOptions) =>
      runCommand(async () => (await load()).replay(env, webhook, options)),
    );
}

import { Command } from 'commander';
import type { Role } from '../composition/app-parts.ts';
import type { Environment } from '../config/environment.ts';
import { RESTORING_TITLES } from '../runtime/engines.ts';
import { registerBackupCommands } from './backup/register.ts';
import { registerCheckpointCommands } from './checkpoint/register.ts';
import { registerCleanCommands } from './clean/register.ts';
import { registerCompletion } from './completion/register.ts';
import { registerDoctorCommand } from './doctor/register.ts';
import { registerFleetCommands } from './fleet/register.ts';
import { registerOperatorCommands } from './operate/register.ts';
import { packageVersion } from './package-version.ts';
import { registerPlanCommand } from './plan/register.ts';
import { registerReconcileCommand } from './reconcile/register.ts';
import { runCommand } from './run-command.ts';
import { registerSmokeCommand } from './smoke/register.ts';
import { registerTemplateCommands, registerTryCommand } from './templates/register.ts';
import { registerTopCommand } from './top/register.ts';

const PROGRAM = 'try-it-now';

/** The commands. Each loads its own code only when it runs: discovery must be up in a moment. */
export function program(env: Environment): Command {
  const cli = commands(env);
  registerCompletion(cli, () => commands(env));
  return cli;
}

function commands(env: Environment): Command {
  const cli = new Command(PROGRAM)
    .description('A running container of their own for every visitor, handed over from a warm pool.')
    .version(packageVersion())
    .showHelpAfterError()
    .addHelpText('after', '\nSettings come from environment variables, all of them in\ndocs/reference/config.md.');

  cli
    .command('up')
    .description('start everything on this machine, server and all, and print where to click; Ctrl-C takes it down')
    .option(
      '--checkpoint',
      `have instances restored instead of started, once the pool is warm (${RESTORING_TITLES} with CRIU)`,
    )
    .action((options: { readonly checkpoint?: true }) =>
      runNamed(PROGRAM, async () => (await import('./up/up.ts')).up(env, options)),
    );
  const serve = cli
    .command('serve')
    .description('run the API, the pool and its workers against NATS, Valkey and Caddy that run already');
  orCheck(serve, env, 'server', () => runNamed(PROGRAM, async () => (await import('./serve.ts')).serve(env, 'server')));
  const worker = cli.command('worker').description('run only the workers, on this or a further host');
  orCheck(worker, env, 'worker', () =>
    runNamed(`${PROGRAM}-worker`, async () => (await import('./serve.ts')).serve(env, 'worker')),
  );
  const discovery = cli.command('discovery').description('answer the proxy where instances live (DNS)');
  orCheck(discovery, env, 'discovery', () =>
    runNamed(`${PROGRAM}-discovery`, async () => (await import('./discovery.ts')).discovery(env)),
  );
  cli
    .command('database-relay')
    .description(
      'lead the sockets of this host to database servers that nodes share (DATABASE_SERVER_URL, POSTGRES_SERVER_URL)',
    )
    .action(() =>
      runNamed(`${PROGRAM}-database-relay`, async () => (await import('./database-relay.ts')).databaseRelay(env)),
    );
  cli
    .command('simulated-engine')
    .description('run simulated containers on SIMULATED_SOCKET, for servers on this host with CONTAINER_MODE=simulated')
    .action(() => runCommand(async () => (await import('./simulated-engine.ts')).simulatedEngine(env)));
  registerDoctorCommand(cli, env);
  registerSmokeCommand(cli, env);
  registerCleanCommands(cli, env);
  registerBackupCommands(cli, env);
  registerReconcileCommand(cli, env);
  registerFleetCommands(cli, env);
  registerOperatorCommands(cli, env);
  registerTopCommand(cli, env);
  registerPlanCommand(cli, env);
  registerTemplateCommands(cli, env);
  registerTryCommand(cli, env);
  registerCheckpointCommands(cli, env);
  return cli;
}

/** Of one that is started with settings alone: a program may be asked what it would say before it is installed. */
function orCheck(command: Command, env: Environment, process: Role | 'discovery', run: () => Promise<void>): void {
  command
    .option('--check', 'only say what is wrong with its settings and the files they name; the exit code is 78 then')
    .action(({ check = false }: { readonly check?: boolean }) =>
      check ? runCommand(async () => (await import('./check-settings.ts')).checkSettings(env, process)) : run(),
    );
}

/** For what goes on running: `ps` and `pidof` know it by this name, and `pidof try-it-now` finds the server alone. */
function runNamed(name: string, command: () => Promise<void>): Promise<void> {
  process.title = name;
  return runCommand(command);
}

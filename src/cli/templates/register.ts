import { InvalidArgumentError, type Command } from 'commander';
import type { Environment } from '../../config/environment.ts';
import { runCommand } from '../run-command.ts';
import type { FromComposeOptions } from './from-compose.ts';
import type { ReloadOptions } from './reload.ts';
import type { TryOptions } from './try-image.ts';

/** What makes and checks the file that TEMPLATES_FILE names, and has a running server go by it. */
export function registerTemplateCommands(cli: Command, env: Environment): void {
  const templates = cli
    .command('templates')
    .alias('template')
    .description('make and check the file of the templates, and have what runs go by it');
  templates
    .command('check')
    .description('say everything that is wrong in a file of templates, with the line')
    .argument('<file>', 'what TEMPLATES_FILE would name')
    .addHelpText(
      'after',
      `
It is judged in this environment, as \`serve\` would: what a template takes from
the environment, such as DATABASE_SOCKET, has to be there.

Exit code: 0 when all is well, 78 when there is a problem.

Example:
  try-it-now templates check templates.yaml`,
    )
    .action((file: string) => runCommand(async () => (await import('./check.ts')).checkTemplates(env, file)));
  registerReload(templates, env);
  templates
    .command('from-compose')
    .description('print the template of a Compose file: its app, with its other services beside it')
    .argument('<file>', 'the Compose file; files it names are looked for in its folder')
    .option('--service <name>', 'the service that visitors open; without it the one that publishes a port')
    .option('--output <file>', 'write there instead, a new file only')
    .addHelpText(
      'after',
      `
Variables in the file are replaced as Compose does, from the environment and
from the .env beside it. Images without a registry are Docker Hub's. What has no
place in a throw-away container is left out, with the reason as a comment.

Exit code: 0 when the template is printed, 1 when the file cannot be made one or
\`templates check\` would refuse it, 78 when it is not a Compose file.

Examples:
  try-it-now templates from-compose compose.yaml
  try-it-now templates from-compose compose.yaml --service web --output app.yaml`,
    )
    .action((file: string, options: FromComposeOptions) =>
      runCommand(async () => (await import('./from-compose.ts')).fromComposeFile(env, file, options)),
    );
  templates
    .command('from-image')
    .description('try an image until it comes up, and print the template that it was seen to need')
    .argument('<image>', IMAGE_HELP)
    .argument('[args...]', ARGS_HELP)
    .option('--port <port>', PORT_HELP, portNumber)
    .option('-e, --env <KEY=VALUE>', ENV_HELP, variable, {})
    .option('--open <path>', OPEN_HELP, landingPath)
    .option('--output <file>', 'write there instead, a new file only')
    .addHelpText('after', TRIAL_HELP + FROM_IMAGE_EXAMPLES)
    .action((image: string, args: string[], options: TryOptions) =>
      runCommand(async () => (await import('./try-image.ts')).fromImage(env, image, { ...options, args })),
    );
}

function registerReload(templates: Command, env: Environment): void {
  templates
    .command('reload')
    .description('have every server and worker read the templates again, without a restart')
    .option('--dry-run', 'only say what would change')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Each process reads the file that it was started with. Visits go on; ready
instances that would not do any more are replaced, a part at a time. A file with
a problem changes nothing. The server's admin API is asked: ADMIN_URL (http and
ADMIN_ADDR without it), with OPERATOR_KEY_FILE or OPERATOR_KEY, else the first
of OPERATOR_KEYS with the highest role. SIGHUP to any of the processes does the
same (\`systemctl reload try-it-now\`).

Exit code: 0 when all go by the same templates, 1 when one did not follow, the
reload was refused or the server does not answer, 78 when the templates have a
problem.

Examples:
  try-it-now templates reload --dry-run
  try-it-now templates reload`,
    )
    .action((options: ReloadOptions) =>
      runCommand(async () => (await import('./reload.ts')).reloadTemplates(env, options)),
    );
}

const IMAGE_HELP = 'an image; one that is not on this host is fetched from the registry in its name';
const PORT_HELP = 'the port the app listens on; without it one that the image exposes';
const ARGS_HELP = 'words for the end of its command, after --';
const ENV_HELP = 'a variable of the container; may be given more than once';
const OPEN_HELP = 'where a visitor lands';
const TRIAL_HELP = `
Needs Podman or Docker and nothing else: a service is started for as long as
this takes where none answers. The container has the same walls as a visitor's.
What keeps the app from coming up is changed, one key after the other, and the
app tried again: capabilities, memory, processes, the port, a login's 401, the
address it listens on.

Exit code: 0 when it came up, 1 when a person has to look at it.
`;
const FROM_IMAGE_EXAMPLES = `
Examples:
  try-it-now templates from-image docker.io/library/nginx:1
  try-it-now templates from-image localhost/app:1 --port 3000 --output app.yaml
  try-it-now templates from-image localhost/app:1 -e DEBUG=1 -- --host 0.0.0.0`;
const TRY_EXAMPLES = `
Examples:
  try-it-now try docker.io/library/nginx:1
  try-it-now try localhost/app:1 --port 3000 --output app.yaml
  try-it-now try localhost/app:1 -e DEBUG=1 --open /wiki/ -- --host 0.0.0.0`;

/** A maintainer's first minute: an image, and no file. */
export function registerTryCommand(cli: Command, env: Environment): void {
  cli
    .command('try')
    .description(
      'start an image as a visitor would get it, say what its template needs, and leave it open until Ctrl-C',
    )
    .argument('<image>', IMAGE_HELP)
    .argument('[args...]', ARGS_HELP)
    .option('--port <port>', PORT_HELP, portNumber)
    .option('-e, --env <KEY=VALUE>', ENV_HELP, variable, {})
    .option('--open <path>', OPEN_HELP, landingPath)
    .option('--output <file>', 'save the template there at the end, a new file only; without it you are asked')
    .addHelpText('after', TRIAL_HELP + TRY_EXAMPLES)
    .action((image: string, args: string[], options: TryOptions) =>
      runCommand(async () => (await import('./try-image.ts')).tryOut(env, image, { ...options, args })),
    );
}

function portNumber(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 65_535)
    throw new InvalidArgumentError('It must be a port, from 1 to 65535.');
  return number;
}

function variable(text: string, before: Readonly<Record<string, string>>): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('It must be KEY=VALUE.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

function landingPath(text: string): string {
  if (!text.startsWith('/')) throw new InvalidArgumentError('It must begin with /.');
  return text;
}

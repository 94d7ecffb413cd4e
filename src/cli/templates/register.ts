import type { Command } from 'commander';
import type { Environment } from '../../config/environment.ts';
import { runCommand } from '../run-command.ts';
import type { FromComposeOptions } from './from-compose.ts';

/** What needs no server: they make and check the file that TEMPLATES_FILE names. */
export function registerTemplateCommands(cli: Command, env: Environment): void {
  const templates = cli
    .command('templates')
    .alias('template')
    .description('make and check the file of the templates; no server is needed');
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
from the .env beside it. What has no place in a throw-away container is left
out, with the reason as a comment.

Exit code: 0 when the template is printed, 1 when the file cannot be made one,
78 when it is not a Compose file.

Examples:
  try-it-now templates from-compose compose.yaml
  try-it-now templates from-compose compose.yaml --service web --output app.yaml`,
    )
    .action((file: string, options: FromComposeOptions) =>
      runCommand(async () => (await import('./from-compose.ts')).fromComposeFile(env, file, options)),
    );
}

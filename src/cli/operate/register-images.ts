import type { Command } from 'commander';
import type { Environment } from '../../config/environment.ts';
// Types alone: every start of the discovery process would wait for what is loaded here.
import type { ImageOptions } from './image-commands.ts';
import { runCommand } from '../run-command.ts';

const load = () => import('./image-commands.ts');

/** New images on their way to visitors. `notes` follow the help. */
export function registerImages(cli: Command, env: Environment, notes: string): void {
  const images = cli
    .command('images')
    .description('the images of the templates: look for new ones, hold them, and go back to the one before')
    .addHelpText(
      'after',
      `${notes}
Examples:
  try-it-now images list
  try-it-now images check hello
  try-it-now images hold hello --reason 'until the launch is over'
  try-it-now images rollback registry.example.org/shop:1`,
    );
  images
    .command('list')
    .description('every image, with what visitors get and what came of new ones')
    .option('--json', 'print JSON')
    .action((options: ImageOptions) => runCommand(async () => (await load()).list(env, options)));
  named(
    images
      .command('check')
      .description('look for a new one now, try it, also one that was refused, and wait for what comes of it'),
  )
    .option('--no-wait', 'do not wait')
    .action((image: string, options: ImageOptions & { readonly wait?: boolean }) =>
      runCommand(async () => (await load()).check(env, image, options)),
    );
  named(images.command('hold').description('keep it as it is: nothing new is fetched or goes to visitors'))
    .option('--reason <text>', 'for whoever looks at it')
    .action((image: string, options: ImageOptions & { readonly reason?: string }) =>
      runCommand(async () => (await load()).hold(env, image, options)),
    );
  named(images.command('release').description('let new ones come again: ends a hold')).action(
    (image: string, options: ImageOptions) => runCommand(async () => (await load()).release(env, image, options)),
  );
  named(
    images
      .command('rollback')
      .description('have visitors get the one before again; what is ready is replaced step by step; asks first'),
  )
    .option('--yes', 'do not ask')
    .action((image: string, options: ImageOptions & { readonly yes?: true }) =>
      runCommand(async () => (await load()).rollback(env, image, options)),
    );
}

function named(command: Command): Command {
  return command.argument('<image>', "a template's name, or that of an image").option('--json', 'print JSON');
}

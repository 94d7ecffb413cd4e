import { rm } from 'node:fs/promises';
import ora from 'ora';
import { openTrialContext, type TrialContext } from '../../composition/trial-context.ts';
import type { Environment } from '../../config/environment.ts';
import { loadConfig } from '../../config/load.ts';
import { TryItNowError } from '../../domain/errors.ts';
import type { Template } from '../../domain/template.ts';
import type { Wanted } from '../../importers/image-draft.ts';
import { templateFile, type TemplateDraft } from '../../importers/template-yaml.ts';
import { Trials } from '../../importers/trials.ts';
import type { TryImageDeps } from '../../importers/try-image-deps.ts';
import { tryImage, type TriedImage } from '../../importers/try-image.ts';
import type { FailedTrial, ReadyTrial } from '../../pool/try-template.ts';
import { Releasers } from '../../lifecycle/releasers.ts';
import { untilStopped } from '../../lifecycle/signals.ts';
import { temporaryFolder } from '../../lifecycle/temporary-folder.ts';
import { createLogger } from '../../telemetry/logger.ts';
import { confirmed } from '../confirmed.ts';
import { engineToTry } from './engine-to-try.ts';
import { requireNewFile, writeTemplateFile } from './output-file.ts';

const STAY_MS = 60 * 60_000;

export interface TryOptions extends Wanted {
  readonly output?: string;
}

/**
 * Prints the template that the image was seen to need. Throws container_failed for one that does not come up,
 * invalid_request at once where it cannot be saved.
 */
export async function fromImage(env: Environment, image: string, options: TryOptions): Promise<void> {
  requireNewFile(options.output);
  const text = await withTried(env, image, options, ({ draft, notes }) => Promise.resolve(templateFile(draft, notes)));
  writeTemplateFile(text, options.output);
}

/** Leaves the app open until Ctrl-C, and offers to save its template. Throws as `fromImage`. */
export async function tryOut(env: Environment, image: string, options: TryOptions): Promise<void> {
  requireNewFile(options.output);
  const { text, name, signal } = await withTried(env, image, options, async ({ draft, notes, trial }, stopped) => {
    const made = templateFile(draft, notes);
    tellWhereToOpen(trial, made);
    return { text: made, name: String(draft['name']), signal: await staying(stopped) };
  });
  // By now nothing runs any more, whatever becomes of the question. Who ends it from elsewhere is not here to answer.
  const file = options.output ?? `${name}.yaml`;
  const mayAsk = signal === 'SIGINT' && process.stdin.isTTY;
  if (options.output !== undefined || (mayAsk && (await confirmed(`\nSave it to ${file}?`))))
    writeTemplateFile(text, file);
}

function tellWhereToOpen({ url, readyMs }: ReadyTrial, text: string): void {
  console.log(
    [
      '',
      `Open it:  ${url}`,
      '',
      `It was ready after ${(readyMs / 1000).toFixed(1)} s. What its template needs:`,
      '',
      text.replace(/^/gm, '  '),
      'Ctrl-C ends it.',
    ]
      .map((line) => (line === '' ? line : `  ${line}`))
      .join('\n'),
  );
}

/** Waits for what keeps no process alive by itself, as no signal does. */
async function staying<T>(awaited: Promise<T>): Promise<T> {
  const hold = setInterval(() => undefined, STAY_MS);
  try {
    return await awaited;
  } finally {
    clearInterval(hold);
  }
}

type Ready = TriedImage & { readonly trial: ReadyTrial };

/** Nothing that was started is left when it ends, however it ends. */
async function withTried<T>(
  env: Environment,
  image: string,
  wanted: TryOptions,
  work: (tried: Ready, stopped: Promise<NodeJS.Signals>) => Promise<T>,
): Promise<T> {
  const log = createLogger('warn', process.stderr);
  const stopping = new AbortController();
  const stopped = untilStopped(log, { orHungUp: true });
  void stopped.then(() => stopping.abort(new TryItNowError('shutting_down', 'Stopped; what was started is removed.')));
  const releasers = new Releasers();
  try {
    const folder = await temporaryFolder('try-it-now-try-');
    releasers.push('files', () => rm(folder, { recursive: true, force: true }));
    const settings = { ...env, ...(await engineToTry(env, folder, log, releasers)) };
    const context = await openTrialContext(loadConfig(withoutTemplates(settings)).config, log);
    releasers.push('engine', context.close);
    const parse = (draft: TemplateDraft): Template => parsed(settings, draft);
    const { signal } = stopping;
    const trials = new Trials({ deps: context, parse, signal });
    releasers.push('containers', () => trials.removeAll());
    const tried = await tryingOnScreen(context, { ...context, parse, trials, signal }, image, wanted);
    const { trial } = tried;
    if (trial.kind === 'failed') throw new TryItNowError('container_failed', notUp(image, tried, trial));
    return await work({ ...tried, trial }, stopped);
  } finally {
    await releasers.releaseAll(log);
  }
}

/** On standard error: standard output is for the template. */
async function tryingOnScreen(
  { engine }: Pick<TrialContext, 'engine'>,
  deps: TryImageDeps,
  image: string,
  wanted: Wanted,
): Promise<TriedImage> {
  const screen = ora({ stream: process.stderr, discardStdin: false });
  try {
    const tried = await tryImage(deps, image, wanted, {
      onStep: (step) => void screen.start(`${engine}: ${step}`),
      onFailure: ({ reason }, next) => {
        if (next !== undefined) screen.fail(`${reason}. Trying again with ${next}`);
      },
    });
    if (tried.trial.kind === 'ready')
      screen.succeed(`${image} comes up, and answers its visitor on port ${String(tried.draft['port'])}`);
    return tried;
  } finally {
    screen.stop();
  }
}

const VIRTUAL_FILE = 'template.yaml';

function parsed(env: Environment, draft: TemplateDraft): Template {
  const text = templateFile(draft, []);
  const { config } = loadConfig({ ...withoutTemplates(env), TEMPLATES_FILE: VIRTUAL_FILE }, (file) => {
    if (file !== VIRTUAL_FILE) throw new Error(`${file} is not read for a trial`);
    return text;
  });
  const [template] = config.templates;
  if (template === undefined) throw new Error('a file with one template offers one');
  return template;
}

/** What a server here offers is none of a trial's concern. */
function withoutTemplates(env: Environment): Environment {
  return { ...env, TEMPLATES_FILE: undefined, TEMPLATE: undefined, CHECKPOINT_PATH: undefined };
}

/** With the template that was tried last: what to go on from. */
function notUp(image: string, { draft, notes }: TriedImage, { reason, remedy, output }: FailedTrial): string {
  return (
    `${image} does not come up: ${reason}. ${remedy}. Say it with --env, --port or words after --, or go on from the ` +
    `template that was tried last:\n${templateFile(draft, notes).replace(/^(?=.)/gm, '  ')}${quoted(output)}`
  );
}

function quoted(output: string): string {
  return output.trim() === '' ? '' : `The end of what it wrote:\n${output.trim().replace(/^/gm, '  ')}`;
}

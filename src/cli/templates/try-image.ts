import { rm } from 'node:fs/promises';
import ora from 'ora';
import { openTrialContext, type TrialContext } from '../../composition/trial-context.ts';
import type { Environment } from '../../config/environment.ts';
import { loadConfig } from '../../config/load.ts';
import { TryItNowError } from '../../domain/errors.ts';
import type { Template } from '../../domain/template.ts';
import type { Wanted } from '../../importers/image-draft.ts';
import { templateFile, type TemplateDraft } from '../../importers/template-yaml.ts';
import { tryImage, type TriedImage } from '../../importers/try-image.ts';
import type { FailedTrial } from '../../pool/try-template.ts';
import { Releasers } from '../../lifecycle/releasers.ts';
import { temporaryFolder } from '../../lifecycle/temporary-folder.ts';
import { createLogger } from '../../telemetry/logger.ts';
import { confirmed } from '../confirmed.ts';
import { engineToTry } from './engine-to-try.ts';
import { requireNewFile, writeTemplateFile } from './output-file.ts';

export interface TryOptions extends Wanted {
  readonly output?: string;
}

/**
 * Prints the template that the image was seen to need. Throws container_failed for one that does not come up,
 * invalid_request at once where it cannot be saved.
 */
export async function fromImage(env: Environment, image: string, options: TryOptions): Promise<void> {
  requireNewFile(options.output);
  await withTried(env, image, options, ({ draft, notes }) => {
    writeTemplateFile(templateFile(draft, notes), options.output);
    return Promise.resolve();
  });
}

/** Leaves the app open until Ctrl-C, and offers to save its template. Throws as `fromImage`. */
export async function tryOut(env: Environment, image: string, options: TryOptions): Promise<void> {
  requireNewFile(options.output);
  await withTried(env, image, options, async ({ draft, notes, trial }, stopped) => {
    if (trial.kind !== 'ready') return;
    const text = templateFile(draft, notes);
    console.log(
      [
        '',
        `Open it:  ${trial.url}`,
        '',
        `It was ready after ${(trial.readyMs / 1000).toFixed(1)} s. What its template needs:`,
        '',
        text.replace(/^/gm, '  '),
        'Ctrl-C ends it.',
      ]
        .map((line) => (line === '' ? line : `  ${line}`))
        .join('\n'),
    );
    await untilAborted(stopped);
    const file = options.output ?? `${String(draft['name'])}.yaml`;
    const saves = options.output !== undefined || (process.stdin.isTTY && (await confirmed(`\nSave it to ${file}?`)));
    if (saves) writeTemplateFile(text, file);
  });
}

async function withTried(
  env: Environment,
  image: string,
  wanted: TryOptions,
  work: (tried: TriedImage, stopped: AbortSignal) => Promise<void>,
): Promise<void> {
  const log = createLogger('warn', process.stderr);
  const stopped = new AbortController();
  const stop = (): void => stopped.abort(new TryItNowError('shutting_down', 'Stopped; what was started is removed.'));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
  const releasers = new Releasers();
  try {
    const folder = await temporaryFolder('try-it-now-try-');
    releasers.push('files', () => rm(folder, { recursive: true, force: true }));
    const settings = { ...env, ...(await engineToTry(env, folder, log, releasers)) };
    const context = await openTrialContext(loadConfig(withoutTemplates(settings)).config, log);
    releasers.push('engine', context.close);
    const tried = await tryingOnScreen(context, settings, image, wanted, stopped.signal);
    if (tried.trial.kind === 'failed') throw new TryItNowError('container_failed', notUp(image, tried, tried.trial));
    const { container } = tried.trial;
    releasers.push('container', () => context.runtime.remove(container));
    await work(tried, stopped.signal);
  } finally {
    await releasers.releaseAll(log);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, stop);
  }
}

/** On standard error: standard output is for the template. */
async function tryingOnScreen(
  context: TrialContext,
  env: Environment,
  image: string,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<TriedImage> {
  const screen = ora({ stream: process.stderr, discardStdin: false });
  const parse = (draft: TemplateDraft): Template => parsed(env, draft);
  try {
    const tried = await tryImage(
      { ...context, parse },
      image,
      wanted,
      {
        onStep: (step) => void screen.start(`${context.engine}: ${step}`),
        onFailure: ({ reason }, next) => {
          if (next !== undefined) screen.fail(`${reason}. Trying again with ${next}`);
        },
      },
      signal,
    );
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

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

import ora from 'ora';
import { openCheckpointContext, type CheckpointContext } from '../../composition/checkpoint-context.ts';
import type { Environment } from '../../config/environment.ts';
import { loadConfig } from '../../config/load.ts';
import type { CheckpointMetadata } from '../../domain/checkpoint.ts';
import { TryItNowError } from '../../domain/errors.ts';
import type { OnStep } from '../../pool/checkpoint-command.ts';
import {
  createCheckpoint,
  createPromoted,
  promoteCheckpoint,
  prunable,
  rollbackCheckpoint,
} from '../../pool/checkpoints.ts';
import { verifyCheckpoint, type Verification } from '../../pool/verify-checkpoint.ts';
import { createLogger } from '../../telemetry/logger.ts';
import { confirmed } from '../confirmed.ts';
import { plainTable, printJson } from '../output.ts';
import type { OutputOptions } from './output-options.ts';

/**
 * Each opens what it needs and closes it again, whatever happens. A signal ends the work in good order: what was
 * started is removed.
 */
export async function create(
  env: Environment,
  template: string,
  options: OutputOptions & { readonly promote?: true },
): Promise<void> {
  await withContext(env, async (context, signal) => {
    const { metadata, verification } = await showing(`Checkpoint of ${template}`, async (onStep) => {
      if (options.promote !== true)
        return { metadata: await createCheckpoint(context, template, onStep, signal), verification: undefined };
      const promoted = await createPromoted(context, template, onStep, signal);
      return { metadata: promoted.metadata, verification: promoted };
    });
    if (options.json === true)
      printJson({
        ...metadata,
        ...(verification === undefined ? {} : { promoted: true, restore_ms: verification.restoreMs.map(Math.round) }),
      });
    else if (verification !== undefined)
      console.log(
        `Checkpoint ${metadata.id} of template ${template} (${megabytes(metadata.sizeBytes)}) is promoted; ` +
          `${restoreTimes(verification)}.`,
      );
    else
      console.log(
        `Checkpoint ${metadata.id} of template ${template} is made (${megabytes(metadata.sizeBytes)}). Next: ` +
          `try-it-now checkpoint promote ${metadata.id}`,
      );
  });
}

export async function list(env: Environment, options: OutputOptions): Promise<void> {
  await withContext(env, async (context) => {
    const found = await context.checkpointRepository.list();
    const current = await context.promotions.current(context.catalogue.all().map(({ name }) => name));
    const promoted = new Set(current.values());
    if (options.json === true) {
      printJson(
        found.map(({ id, archive, metadata, problem }) => ({
          id,
          archive,
          promoted: promoted.has(id),
          ...(metadata === undefined ? {} : { metadata }),
          ...(problem === undefined ? {} : { problem }),
        })),
      );
      return;
    }
    if (found.length === 0) {
      console.log('There is no checkpoint on this node. Make one: try-it-now checkpoint create TEMPLATE');
      return;
    }
    const table = plainTable(['ID', 'TEMPLATE', 'SIZE', 'CREATED', 'STATE']);
    for (const { id, metadata, problem } of found) {
      table.push([
        id,
        metadata?.template ?? '?',
        metadata === undefined ? '?' : megabytes(metadata.sizeBytes),
        metadata === undefined ? '?' : minuteOf(metadata.createdAt),
        shortState(id, metadata, problem, promoted),
      ]);
    }
    console.log(table.toString());
    for (const { id, problem } of found) if (problem !== undefined) console.log(`${id}: ${problem}`);
  });
}

export async function inspect(env: Environment, id: string, options: OutputOptions): Promise<void> {
  await withContext(env, async (context) => {
    const metadata = await context.checkpointRepository.metadata(id);
    const status = await context.promotions.status(metadata.template);
    if (options.json === true) {
      printJson({ ...metadata, promotion: status });
      return;
    }
    const { host } = metadata;
    const table = plainTable([]);
    table.push(
      ['Checkpoint', metadata.id],
      ['Template', `${metadata.template} (version ${metadata.templateVersion})`],
      ['Created', metadata.createdAt],
      ['Size', megabytes(metadata.sizeBytes)],
      ['SHA-256', metadata.sha256],
      ['Image', host.imageId],
      ['Kernel', `${host.kernel} (${host.arch})`],
      ['Engine', `${host.engine} ${host.engineVersion}, CRIU ${host.criu}`],
      ['File locks', metadata.fileLocks ? 'yes' : 'no'],
      ['State', metadata.standsFor === undefined ? stateOf(id, status) : `in place of ${metadata.standsFor} here`],
    );
    console.log(table.toString());
  });
}

export async function verify(env: Environment, id: string, options: OutputOptions): Promise<void> {
  await withContext(env, async (context, signal) => {
    const verification = await showing(`Verification of ${id}`, (onStep) =>
      verifyCheckpoint(context, id, onStep, signal),
    );
    if (options.json === true)
      printJson({
        id,
        template: verification.metadata.template,
        restore_ms: verification.restoreMs.map(Math.round),
        identities: verification.identities,
      });
    else
      console.log(
        `Checkpoint ${id} is sound: two clones came up${verification.identities.length > 0 ? ', each its own' : ''}; ` +
          `${restoreTimes(verification)}.`,
      );
  });
}

export async function promote(env: Environment, id: string, options: OutputOptions): Promise<void> {
  await withContext(env, async (context, signal) => {
    const { metadata, changed, replaced, ...verification } = await showing(`Promotion of ${id}`, (onStep) =>
      promoteCheckpoint(context, id, onStep, signal),
    );
    if (options.json === true)
      printJson({
        id,
        template: metadata.template,
        changed,
        replaced: replaced ?? null,
        restore_ms: verification.restoreMs.map(Math.round),
      });
    else if (!changed) console.log(`Checkpoint ${id} was promoted already; it is sound, and nothing changed.`);
    else
      console.log(
        `Checkpoint ${id} is promoted${replaced === undefined ? '' : ` in place of ${replaced}`}; the pool of ` +
          `${metadata.template} is replaced gradually. To go back: try-it-now checkpoint rollback ` +
          metadata.template,
      );
  });
}

export async function rollback(env: Environment, template: string, options: OutputOptions): Promise<void> {
  await withContext(env, async (context) => {
    const { from, to } = await rollbackCheckpoint(context, template);
    const pool = context.catalogue.get(template) === undefined ? '' : ', and its pool is replaced gradually';
    if (options.json === true) printJson({ template, from, to: to ?? null });
    else
      console.log(
        `Template ${template} is no longer restored from ${from}; ` +
          `${to === undefined ? 'it is started cold' : `it is restored from ${to} again`}${pool}.`,
      );
  });
}

export async function prune(env: Environment, options: { readonly keep: number; readonly yes?: true }): Promise<void> {
  await withContext(env, async (context) => {
    const removable = await prunable(context, options.keep);
    if (removable.length === 0) {
      console.log('There is nothing to prune.');
      return;
    }
    if (options.yes !== true && !(await confirmed(`Delete ${removable.join(', ')}?`))) {
      console.log('Nothing was deleted.');
      return;
    }
    for (const id of removable) {
      await context.checkpointRepository.remove(id);
      console.log(`Deleted ${id}.`);
    }
  });
}

async function withContext(
  env: Environment,
  work: (context: CheckpointContext, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const { config } = loadConfig(env);
  // What is worth a log line in a server is, in a command, said on the terminal; standard output is for the result.
  const log = createLogger('warn', process.stderr);
  const stopped = new AbortController();
  const stop = (): void =>
    stopped.abort(new TryItNowError('shutting_down', 'Stopped; what was started for this command is removed.'));
  // Not `once`: the spinner ends the process itself at a signal that nobody else listens to any more.
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, stop);
  const context = await openCheckpointContext(config, log);
  try {
    await work(context, stopped.signal);
  } finally {
    await context.close();
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, stop);
  }
}

/**
 * A line that says what is going on; on a terminal it moves, elsewhere each step is a line. All
 * of it on standard error.
 */
async function showing<T>(what: string, work: (onStep: OnStep) => Promise<T>): Promise<T> {
  const { isTTY, columns } = process.stderr;
  const screen = ora({ stream: process.stderr, discardStdin: false, isEnabled: isTTY && columns > 0 });
  screen.start(what);
  try {
    const result = await work((step) => {
      if (screen.isEnabled) screen.text = `${what}: ${step}`;
      else process.stderr.write(`${what}: ${step}\n`);
    });
    screen.succeed(what);
    return result;
  } catch (error) {
    screen.fail(what);
    throw error;
  }
}

function stateOf(
  id: string,
  { current, earlier, proven, failures, withdrawn }: Awaited<ReturnType<CheckpointContext['promotions']['status']>>,
): string {
  if (id === current) {
    const failed = failures > 0 ? `, ${failures} restores failed` : '';
    return `promoted; ${proven ? 'instances were restored from it' : `no instance was restored from it yet${failed}`}`;
  }
  if (id === withdrawn) return 'taken out, because it did not restore';
  return earlier.includes(id) ? 'promoted earlier; rollback can go back to it' : 'not promoted';
}

function shortState(
  id: string,
  metadata: CheckpointMetadata | undefined,
  problem: string | undefined,
  promoted: ReadonlySet<string>,
): string {
  if (problem !== undefined) return 'unreadable';
  const { standsFor, fetched } = metadata ?? {};
  if (standsFor !== undefined) return `in place of ${standsFor}`;
  return [...(promoted.has(id) ? ['promoted'] : []), ...(fetched === true ? ['from another node'] : [])].join(', ');
}

function restoreTimes({ restoreMs }: Pick<Verification, 'restoreMs'>): string {
  return (
    `two restores side by side took ${restoreMs.map((ms) => (ms / 1000).toFixed(2)).join(' and ')} s until ` +
    'the app answered'
  );
}

function minuteOf(iso: CheckpointMetadata['createdAt']): string {
  return iso.slice(0, 16).replace('T', ' ');
}

function megabytes(bytes: number): string {
  return `${Math.max(1, Math.round(bytes / 1e6))} MB`;
}

import { rm } from 'node:fs/promises';
import type { CheckpointMetadata } from '../domain/checkpoint.ts';
import { systemClock } from '../domain/clock.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';
import { describeCheck } from '../domain/readiness.ts';
import { templateVersion, versionsOf } from '../domain/template.ts';
import {
  removed,
  requireCheckpointing,
  requireRestorable,
  requireTemplate,
  tried,
  type CheckpointDeps,
  type OnStep,
} from './checkpoint-command.ts';
import type { Reach } from './activate.ts';
import { formerCheckpoints, type FormerCheckpointsDeps } from './former-checkpoints.ts';
import type { Checkpointing } from './interfaces/checkpointing.ts';
import type { ContainerSpec } from './interfaces/container-runtime.ts';
import { untilReady } from './readiness.ts';
import { requireIdentity, verifyCheckpoint, type Verification } from './verify-checkpoint.ts';

/** Keep-alive connections of the warm-up requests are closed by us; an app's own to itself may take a little. */
const IDLE_TIMEOUT_MS = 15_000;
/** From its making to its promotion, with all that is tried in between on a slow host. */
const PROMOTED_WITHIN_MS = 2 * 3_600_000;

/**
 * Starts the template's app from its image, waits until it is ready, warms it up, waits until no connection is open,
 * looks for what a dump would fail on, and dumps it. It has neither identity nor database then, so the dump holds
 * nobody's. `made`: said of one that is to be promoted at once. Throws checkpointing_unavailable, unknown_template,
 * checkpoint_not_verified for a template without an identity, checkpoint_refused, and what its steps throw; whatever it
 * started is gone when it returns.
 */
export async function createCheckpoint(
  deps: CheckpointDeps,
  name: string,
  onStep: OnStep,
  signal: AbortSignal,
  made: Pick<CheckpointMetadata, 'keepUntil' | 'forImage'> = {},
): Promise<CheckpointMetadata> {
  const { runtime, checkpointRepository } = deps;
  const clock = deps.clock ?? systemClock;
  const template = requireTemplate(deps.catalogue, name);
  // Of what was asked for: another one may be on offer by the end, and a trial runs it with another image.
  const versions = deps.catalogue.versionsOf(name);
  requireRestorable(template);
  requireIdentity(template);
  onStep('trying whether this host can dump and restore');
  const checkpointing = await requireCheckpointing(deps);
  const host = await checkpointing.host(template);
  await runtime.prepare([template]);
  const archive = await deps.draftArchive();
  const { spec, reach } = await tried(deps, template, 'source');
  try {
    onStep(`starting ${template.image}`);
    await runtime.start(spec, signal);
    await dumpWarm(deps, { checkpointing, spec, reach, archive }, onStep, signal);
    onStep('storing the archive');
    return await checkpointRepository.add(archive, {
      template: template.name,
      ...(versions ?? versionsOf(template)),
      host,
      fileLocks: template.checkpoint.dump.fileLocks,
      createdAt: new Date(clock.now()).toISOString(),
      ...made,
    });
  } finally {
    await removed(deps, () => runtime.remove(spec.name));
    await rm(archive, { force: true });
  }
}

interface Source {
  readonly checkpointing: Checkpointing;
  readonly spec: ContainerSpec;
  readonly reach: Reach;
  readonly archive: string;
}

async function dumpWarm(
  deps: CheckpointDeps,
  { checkpointing, spec, reach, archive }: Source,
  onStep: OnStep,
  signal: AbortSignal,
): Promise<void> {
  const { readiness, checkpoint } = spec.template;
  onStep(`waiting until it is ready (${describeCheck(readiness)})`);
  await untilReady(deps, readiness, reach, readiness.timeoutMs, signal);
  for (const path of checkpoint.warmup) {
    onStep(`warming up ${path}`);
    const { timeoutMs, requestTimeoutMs } = readiness;
    const { origin, visitor } = reach;
    await deps.probe.untilOk({ url: `${origin}${path}`, visitor, timeoutMs, requestTimeoutMs }, signal);
  }
  if (!checkpoint.dump.tcpClose) {
    onStep('waiting until no connection is open');
    await checkpointing.untilIdle(spec.name, IDLE_TIMEOUT_MS, signal);
  }
  onStep('looking for what clones could not go on with');
  await checkpointing.examine(spec.name, checkpoint.dump);
  await requireConfirmedRandom(deps, checkpointing, spec);
  onStep('dumping memory and files');
  await checkpointing.dump(spec.name, archive, checkpoint.dump);
}

/**
 * Names the languages whose generators would go on alike in all clones, until the template says that somebody has seen
 * to it. Throws checkpoint_refused where nobody can have: it has no activation in which they were given a new seed. An
 * app that says `identity: none` has no secrets that it could draw.
 */
async function requireConfirmedRandom(
  { log }: CheckpointDeps,
  checkpointing: Checkpointing,
  { name: container, template: { name, identity, activation, checkpoint } }: ContainerSpec,
): Promise<void> {
  if (identity === 'none' || checkpoint.random === 'confirmed') return;
  const found = await checkpointing.ownGenerators(container);
  if (found.length === 0) return;
  const languages = found.map(({ language }) => language);
  const named = found.map(({ language, generators, process }) => `${language} (${process}): ${generators}`);
  const message =
    `The app of template ${name} runs what draws random numbers from its own memory, which no restore makes fresh: ` +
    `${named.join('; ')}. Clones draw the same from those, unless they get a new seed in the activation. ` +
    'docs/criu-checkpoint.md#random-numbers has how, and what is fresh all the same. When that is done, or the app ' +
    'takes no secrets from them, write checkpoint: {random: confirmed}';
  if (activation === undefined) throw new TryItNowError('checkpoint_refused', message, { details: { languages } });
  log.warn({ template: name, languages }, message);
}

export interface Promotion extends Verification {
  readonly changed: boolean;
  readonly replaced: string | undefined;
}

/**
 * Makes a checkpoint that is restored, checked and promoted before anybody is told that it is made: one that fails on
 * the way is deleted again. Where Valkey does not say what became of the promotion, it stays: it may be current.
 */
export async function createPromoted(
  deps: CheckpointDeps,
  name: string,
  onStep: OnStep,
  signal: AbortSignal,
): Promise<Promotion> {
  const { clock = systemClock } = deps;
  const keepUntil = new Date(clock.now() + PROMOTED_WITHIN_MS).toISOString();
  const { id } = await createCheckpoint(deps, name, onStep, signal, { keepUntil });
  let verification: Verification;
  try {
    verification = await verifyCheckpoint(deps, id, onStep, signal);
  } catch (error) {
    await removed(deps, () => deps.checkpointRepository.remove(id));
    throw error;
  }
  return promote(deps, verification, onStep);
}

/** Verifies, and has every node restore the template from it. The pool is replaced gradually. */
export async function promoteCheckpoint(
  deps: CheckpointDeps,
  id: string,
  onStep: OnStep,
  signal: AbortSignal,
): Promise<Promotion> {
  return promote(deps, await verifyCheckpoint(deps, id, onStep, signal), onStep);
}

/**
 * Back to the one before, also of a template that was taken out. Throws no_earlier_checkpoint, unknown_template where
 * nothing is promoted of what is not on offer.
 */
export async function rollbackCheckpoint(
  { catalogue, promotions }: Pick<CheckpointDeps, 'catalogue' | 'promotions'>,
  template: string,
): Promise<{ readonly from: string; readonly to: string | undefined }> {
  if ((await promotions.current([template])).size === 0) requireTemplate(catalogue, template);
  return promotions.rollback(template);
}

/** Throws store_unavailable, when it may have come to pass or may still. */
async function promote(deps: CheckpointDeps, verification: Verification, onStep: OnStep): Promise<Promotion> {
  const { id, template, keepUntil } = verification.metadata;
  onStep('promoting');
  const outcome = await deps.promotions.promote(template, id);
  if (keepUntil !== undefined) await keepPromoted(deps, id);
  return { ...verification, ...outcome };
}

/** What was promoted is an operator's, whatever Valkey knows of it later. Where this fails, a server does it. */
export async function keepPromoted(
  { checkpointRepository, log }: Pick<CheckpointDeps, 'checkpointRepository' | 'log'>,
  id: string,
): Promise<void> {
  try {
    await checkpointRepository.mark(id, { keepUntil: undefined });
  } catch (error) {
    log.warn({ checkpoint: id, reason: describeError(error) }, 'A promoted checkpoint still has the time it was given');
  }
}

/**
 * Checkpoints beyond the newest `keep` of each template, never one that is promoted, can be gone back to, or comes
 * back with its image. Returns their ids.
 */
export async function prunable(
  deps: Pick<CheckpointDeps, 'checkpointRepository' | 'promotions'> & FormerCheckpointsDeps,
  keep: number,
): Promise<readonly string[]> {
  const former = await formerCheckpoints(deps);
  const kept = new Map<string, number>();
  const removable: string[] = [];
  for (const { id, metadata } of await deps.checkpointRepository.list()) {
    if (metadata === undefined) continue;
    const { current, earlier } = await deps.promotions.status(metadata.template);
    const already = kept.get(metadata.template) ?? 0;
    // One made in place of another is as good as that.
    const counted = [id, metadata.standsFor].filter((each) => each !== undefined);
    if (counted.some((each) => each === current || earlier.includes(each) || former.has(each))) continue;
    if (already < keep) kept.set(metadata.template, already + 1);
    else removable.push(id);
  }
  return removable;
}

/**
 * Checkpoints that the configuration names: copied in and promoted once, so that a later promotion by a person holds.
 * One that is unsound is logged and left.
 */
export async function promoteConfigured(
  deps: Pick<CheckpointDeps, 'catalogue' | 'checkpointing' | 'checkpointRepository' | 'promotions' | 'log'>,
): Promise<void> {
  const { checkpointing } = deps;
  if (checkpointing === undefined) return;
  for (const template of deps.catalogue.all()) {
    const { file, enabled } = template.checkpoint;
    if (file === undefined || !enabled) continue;
    try {
      const { id, template: madeFor } = await deps.checkpointRepository.import(file);
      if (madeFor !== template.name)
        throw new TryItNowError(
          'checkpoint_unfit',
          `${file} was made for template ${madeFor}, not for ${template.name}`,
        );
      // Refused here and now rather than at each restore: what was promoted before is
      // better than cold starts everywhere.
      await deps.checkpointRepository.open(id, {
        template: template.name,
        templateVersion: templateVersion(template),
        host: await checkpointing.host(template),
      });
      const { changed } = await deps.promotions.promote(template.name, id, 'configured');
      if (changed)
        deps.log.info({ template: template.name, checkpoint: id, file }, 'Checkpoint of the configuration promoted');
    } catch (error) {
      if (!(error instanceof TryItNowError) || error.code === 'store_unavailable') throw error;
      deps.log.error(
        { template: template.name, file, code: error.code, reason: describeError(error) },
        'The checkpoint that the configuration names cannot be used; what was promoted before holds',
      );
    }
  }
}

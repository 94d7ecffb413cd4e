import { randomBytes } from 'node:crypto';
import { hostname, instanceUrl } from '../domain/address.ts';
import { systemClock } from '../domain/clock.ts';
import { TryItNowError, type ErrorCode } from '../domain/errors.ts';
import { newInstanceId } from '../domain/ids.ts';
import type { SmokeStep } from '../domain/image-check.ts';
import { isRestorable } from '../domain/restorable.ts';
import { describeCheck } from '../domain/readiness.ts';
import type { Template } from '../domain/template.ts';
import { activate, instanceValues, type Identity, type Reach } from './activate.ts';
import { removed, tried, type CheckpointDeps, type OnStep } from './checkpoint-command.ts';
import { createCheckpoint } from './checkpoints.ts';
import { ContainerEnds } from './container-ends.ts';
import { diagnose } from './diagnose.ts';
import { untilReady } from './readiness.ts';
import { verifyCheckpoint } from './verify-checkpoint.ts';
import { whileRunning } from './while-running.ts';

export interface TryImageDeps extends CheckpointDeps {
  /** The name of the image that is tried. */
  readonly imageName: string;
  readonly node: { readonly name: string; readonly address: string };
}

/** `promotable`: a checkpoint made of it, which restores and is not current yet. */
export type ImageVerdict =
  | { readonly kind: 'sound'; readonly promotable: string | undefined }
  | { readonly kind: 'refused'; readonly reason: string };

const SEED_BYTES = 32;
/** All templates of an image are tried before it goes to visitors. */
const ADOPTED_WITHIN_MS = 6 * 3_600_000;
/** What a checkpoint of a sound image may fail of: it could not replace the one that visitors are served from now. */
const OF_THE_CHECKPOINT: ReadonlySet<ErrorCode> = new Set([
  'checkpoint_failed',
  'checkpoint_refused',
  'checkpoint_not_verified',
  'restore_failed',
  'activation_failed',
  'not_ready_in_time',
  'container_exited',
]);

/**
 * Starts one container that nobody is handed, has it pass what a visitor's instance has to and the template's smoke
 * steps, and makes and restores a checkpoint where the template is restored from one. `template` has the image's id in
 * place of its name. Throws what is no fault of the image; nothing is left then but what the engine refuses to remove.
 */
export async function tryImage(
  deps: TryImageDeps,
  template: Template,
  onStep: OnStep,
  signal: AbortSignal,
): Promise<ImageVerdict> {
  const reason = await whyNotServed(deps, template, onStep, signal);
  return reason === undefined ? tryCheckpoint(deps, template, onStep, signal) : { kind: 'refused', reason };
}

async function whyNotServed(
  deps: TryImageDeps,
  template: Template,
  onStep: OnStep,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { runtime, node, clock = systemClock } = deps;
  try {
    await runtime.prepare([template]);
  } catch (error) {
    if (isOfAnotherArchitecture(error)) return error.message;
    throw error;
  }
  await deps.databases?.prepare([template]);
  const { spec, label, reach, database } = await tried(deps, template, 'start');
  const own: Identity = {
    instanceId: newInstanceId(),
    hostname: hostname(deps.address, label),
    url: instanceUrl(deps.address, label),
    seed: randomBytes(SEED_BYTES).toString('hex'),
    database: undefined,
  };
  try {
    const credentials = database === undefined ? undefined : await deps.databases?.create(database, template);
    const identity = { ...own, database: credentials };
    onStep('starting a container that nobody is handed');
    await runtime.start({ ...spec, values: instanceValues(identity) }, signal);
    const work = (running: AbortSignal): Promise<void> => visit(deps, { template, reach, identity }, onStep, running);
    await whileRunning({ runtime, containerEnds: new ContainerEnds() }, spec.name, work, signal);
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof TryItNowError && error.code === 'smoke_failed') return error.message;
    const attempt = { template, instance: own.instanceId, container: spec.name, node: node.name, atMs: clock.now() };
    const { report, ofTheApp } = await diagnose(deps, attempt, error);
    if (!ofTheApp) throw error;
    return `${report.reason}. ${report.remedy}`;
  } finally {
    await removed(deps, () => runtime.remove(spec.name));
    if (database !== undefined) await removed(deps, async () => deps.databases?.drop(database));
  }
}

/** What a visitor's instance goes through before it is ready, at the app's own port: it has no name to be found by. */
async function visit(
  deps: TryImageDeps,
  { template, reach, identity }: { readonly template: Template; readonly reach: Reach; readonly identity: Identity },
  onStep: OnStep,
  signal: AbortSignal,
): Promise<void> {
  const { readiness, open, warmup, smoke, port: innerPort } = template;
  onStep(`waiting until it is ready (${describeCheck(readiness)})`);
  await untilReady(deps, readiness, reach, readiness.timeoutMs, signal);
  await activate(deps, template, reach, identity, signal);
  const { requestTimeoutMs } = readiness;
  const orStatuses = readiness.kind === 'http' ? readiness.statuses : undefined;
  for (const path of new Set([open.replace(/#.*$/, ''), ...warmup])) {
    onStep(`opening ${path}`);
    const target = { url: `${reach.origin}${path}`, visitor: reach.visitor, innerPort, orStatuses, requestTimeoutMs };
    await deps.probe.untilOk({ ...target, timeoutMs: requestTimeoutMs }, signal);
  }
  for (const step of smoke) {
    onStep(`smoke step ${step.path}`);
    await smokeStep(deps, template, step, reach, signal);
  }
}

/** Throws smoke_failed. */
async function smokeStep(
  { probe }: TryImageDeps,
  { name, readiness: { requestTimeoutMs: timeoutMs } }: Template,
  { path, statuses, text }: SmokeStep,
  { origin, visitor }: Reach,
  signal: AbortSignal,
): Promise<void> {
  const target = { url: `${origin}${path}`, visitor, statuses, timeoutMs };
  const { ok, seen } = await probe.look(target, signal);
  if (!ok) throw smokeFailed(name, path, `answered with ${probe.describe(seen)}`);
  if (text === undefined) return;
  const answers = await probe.visit(target, signal);
  // What is wanted of the first answer itself is wanted of its text as well.
  const said = (statuses === undefined ? answers.at(-1) : answers[0])?.body.replace(/\s+/g, ' ');
  if (said?.includes(text) !== true) throw smokeFailed(name, path, `does not have ${JSON.stringify(text)} in its text`);
}

function smokeFailed(template: string, path: string, how: string): TryItNowError {
  return new TryItNowError('smoke_failed', `The smoke step ${path} of template ${template} ${how}`);
}

/** Where instances come from a checkpoint now, so that they do afterwards. */
async function tryCheckpoint(
  deps: TryImageDeps,
  template: Template,
  onStep: OnStep,
  signal: AbortSignal,
): Promise<ImageVerdict> {
  const { promotions, checkpointing, checkpointRepository, clock = systemClock } = deps;
  const { name } = template;
  const isRestored = isRestorable(template) && (await promotions.current([name])).has(name);
  if (!isRestored || checkpointing === undefined || !(await checkpointing.availability()).available)
    return { kind: 'sound', promotable: undefined };
  let made: string | undefined;
  try {
    // Said before anything counts: should this process be killed, whoever goes on knows what it left.
    const keepUntil = new Date(clock.now() + ADOPTED_WITHIN_MS).toISOString();
    made = (await createCheckpoint(deps, name, onStep, signal, { keepUntil, forImage: deps.imageName })).id;
    await verifyCheckpoint(deps, made, onStep, signal);
    return { kind: 'sound', promotable: made };
  } catch (error) {
    const unsound = made;
    if (unsound !== undefined) await removed(deps, () => checkpointRepository.remove(unsound));
    signal.throwIfAborted();
    if (!(error instanceof TryItNowError) || !OF_THE_CHECKPOINT.has(error.code)) throw error;
    return { kind: 'refused', reason: `No sound checkpoint can be made of it: ${error.message}` };
  }
}

function isOfAnotherArchitecture(error: unknown): error is TryItNowError {
  return error instanceof TryItNowError && error.details?.['architecture'] !== undefined;
}

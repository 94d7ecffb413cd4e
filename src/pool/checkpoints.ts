import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { instanceUrl, hostname, publicOrigin, type PublicAddress } from '../domain/address.ts';
import type { CheckpointMetadata } from '../domain/checkpoint.ts';
import { systemClock, type Clock } from '../domain/clock.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';
import { newHostLabel, newInstanceId } from '../domain/ids.ts';
import type { Log } from '../domain/log.ts';
import { describeCheck } from '../domain/readiness.ts';
import { whyNotRestorable } from '../domain/restorable.ts';
import { templateVersion, type Catalogue, type InstanceCall, type Template } from '../domain/template.ts';
import { activate, askIdentity, type Reach } from './activate.ts';
import type { CheckpointRepository } from './interfaces/checkpoint-repository.ts';
import type { Checkpointing, OpenCheckpoint } from './interfaces/checkpointing.ts';
import type { ContainerRuntime, ContainerSpec } from './interfaces/container-runtime.ts';
import type { Databases } from './interfaces/databases.ts';
import type { Probe } from './interfaces/probe.ts';
import type { Promotions } from './interfaces/promotions.ts';
import { untilReady } from './readiness.ts';

export interface CheckpointDeps {
  readonly catalogue: Catalogue;
  readonly runtime: ContainerRuntime;
  /** Undefined: the engine has no such ability. */
  readonly checkpointing: Checkpointing | undefined;
  readonly checkpointRepository: CheckpointRepository;
  readonly promotions: Promotions;
  readonly databases: Databases | undefined;
  readonly probe: Probe;
  readonly node: { readonly address: string };
  readonly address: PublicAddress;
  /** A free host port outside the pool's range. */
  readonly freePort: () => Promise<number>;
  /** A path in the repository's file system for an archive in progress. */
  readonly draftArchive: () => Promise<string>;
  readonly log: Log;
  readonly clock?: Clock;
}

/** Told as each step begins: long ones show progress. */
export type OnStep = (step: string) => void;

/** How long the containers and databases of one command outlive it at most, should it be killed. */
const KEEP_MS = 30 * 60_000;
/** Keep-alive connections of the warm-up requests are closed by us; an app's own to itself may take a little. */
const IDLE_TIMEOUT_MS = 15_000;
const RESTORED_READY_MS = 5_000;
const SEED_BYTES = 32;

/**
 * Starts the template's app from its image, waits until it is ready, warms it up, waits until no connection is open,
 * and dumps it. It has neither identity nor database then, so the dump holds nobody's. Throws
 * checkpointing_unavailable, unknown_template, and what its steps throw; whatever it started is gone when it returns.
 */
export async function createCheckpoint(
  deps: CheckpointDeps,
  name: string,
  onStep: OnStep,
  signal: AbortSignal,
): Promise<CheckpointMetadata> {
  const { runtime, probe, checkpointRepository } = deps;
  const clock = deps.clock ?? systemClock;
  const template = requireTemplate(deps.catalogue, name);
  requireRestorable(template);
  onStep('trying whether this host can dump and restore');
  const checkpointing = await requireCheckpointing(deps);
  const host = await checkpointing.host(template);
  await runtime.prepare([template]);
  const archive = await deps.draftArchive();
  const { spec, reach } = await tried(deps, template, 'source');
  try {
    onStep(`starting ${template.image}`);
    await runtime.start(spec, signal);
    const { readiness } = template;
    onStep(`waiting until it is ready (${describeCheck(readiness)})`);
    await untilReady(deps, readiness, reach, readiness.timeoutMs, signal);
    for (const path of template.checkpoint.warmup) {
      onStep(`warming up ${path}`);
      const { timeoutMs, requestTimeoutMs } = readiness;
      const { origin, visitor } = reach;
      await probe.untilOk({ url: `${origin}${path}`, visitor, timeoutMs, requestTimeoutMs }, signal);
    }
    onStep('waiting until no connection is open');
    await checkpointing.untilIdle(spec.name, IDLE_TIMEOUT_MS, signal);
    onStep('dumping memory and files');
    await checkpointing.dump(spec.name, archive, { fileLocks: template.checkpoint.fileLocks });
    onStep('storing the archive');
    return await checkpointRepository.add(archive, {
      template: template.name,
      templateVersion: templateVersion(template),
      host,
      fileLocks: template.checkpoint.fileLocks,
      createdAt: new Date(clock.now()).toISOString(),
    });
  } finally {
    await removed(deps, () => runtime.remove(spec.name));
    await rm(archive, { force: true });
  }
}

export interface Verification {
  readonly metadata: CheckpointMetadata;
  /** From the start of the restore to the app's answer, of each clone, in ms. */
  readonly restoreMs: readonly number[];
  /** What the clones' identity probes answered. */
  readonly identities: readonly string[];
}

/**
 * Restores two clones side by side, activates both and asks each who it is. Throws checkpoint_not_verified when the
 * template has no identity probe or both answer alike, and what the checks and the restores throw.
 */
export async function verifyCheckpoint(
  deps: CheckpointDeps,
  id: string,
  onStep: OnStep,
  signal: AbortSignal,
): Promise<Verification> {
  const metadata = await deps.checkpointRepository.metadata(id);
  const template = requireTemplate(deps.catalogue, metadata.template);
  const { identity } = template;
  if (identity === undefined) {
    throw new TryItNowError(
      'checkpoint_not_verified',
      `Template ${template.name} has no identity probe, so nobody can tell whether two clones of checkpoint ` +
        `${id} are each their own; give it one (identity: {http: /path} or {exec: [command]})`,
    );
  }
  onStep('trying whether this host can dump and restore');
  const checkpointing = await requireCheckpointing(deps);
  onStep(`checking the archive of ${id}`);
  const from = await deps.checkpointRepository.open(id, {
    template: template.name,
    templateVersion: templateVersion(template),
    host: await checkpointing.host(template),
  });
  await deps.runtime.prepare([template]);
  await deps.databases?.prepare([template]);

  onStep('restoring and activating two clones');
  const source: CloneSource = { template, identity, checkpointing, from };
  const clones = [tryClone(deps, source, signal), tryClone(deps, source, signal)];
  await Promise.allSettled(clones);
  const [first, second] = await Promise.all(clones);
  if (first === undefined || second === undefined) throw new Error('two clones were asked for');
  if (first.identity === second.identity) {
    throw new TryItNowError(
      'checkpoint_not_verified',
      `Two clones of checkpoint ${id} gave the same answer to the identity probe of template ${template.name} ` +
        `(${JSON.stringify(first.identity.slice(0, 200))}), so the activation hook does ` +
        'not make an instance its own',
    );
  }
  return { metadata, restoreMs: [first.restoreMs, second.restoreMs], identities: [first.identity, second.identity] };
}

interface CloneSource {
  readonly template: Template;
  readonly identity: InstanceCall;
  readonly checkpointing: Checkpointing;
  readonly from: OpenCheckpoint;
}

/** Restores an instance that nobody is handed, activates it and asks it who it is. It is gone when this returns. */
async function tryClone(
  deps: CheckpointDeps,
  { template, identity, checkpointing, from }: CloneSource,
  signal: AbortSignal,
): Promise<{ readonly restoreMs: number; readonly identity: string }> {
  const { spec, label, reach, database } = await tried(deps, template, 'clone');
  try {
    const startedAt = performance.now();
    await checkpointing.restore(spec, from, signal);
    await untilReady(deps, template.readiness, reach, RESTORED_READY_MS, signal);
    const restoreMs = performance.now() - startedAt;
    await activate(
      deps,
      template,
      reach,
      {
        instanceId: newInstanceId(),
        hostname: hostname(deps.address, label),
        url: instanceUrl(deps.address, label),
        seed: randomBytes(SEED_BYTES).toString('hex'),
        database: database === undefined ? undefined : await deps.databases?.create(database, template),
      },
      signal,
    );
    return { restoreMs, identity: await askIdentity(deps, template, identity, reach, signal) };
  } finally {
    await removed(deps, () => deps.runtime.remove(spec.name));
    if (database !== undefined) await removed(deps, async () => deps.databases?.drop(database));
  }
}

/** Verifies, and has every node restore the template from it. The pool is replaced gradually. */
export async function promoteCheckpoint(
  deps: CheckpointDeps,
  id: string,
  onStep: OnStep,
  signal: AbortSignal,
): Promise<Verification & { readonly changed: boolean; readonly replaced: string | undefined }> {
  const verification = await verifyCheckpoint(deps, id, onStep, signal);
  onStep('promoting');
  return { ...verification, ...(await deps.promotions.promote(verification.metadata.template, id)) };
}

/**
 * Removes checkpoints beyond the newest `keep` of each template, never one that is promoted or can be gone back to.
 * Returns their ids.
 */
export async function prunable(
  deps: Pick<CheckpointDeps, 'checkpointRepository' | 'promotions'>,
  keep: number,
): Promise<readonly string[]> {
  const kept = new Map<string, number>();
  const removable: string[] = [];
  for (const { id, metadata } of await deps.checkpointRepository.list()) {
    if (metadata === undefined) continue;
    const { current, earlier } = await deps.promotions.status(metadata.template);
    const already = kept.get(metadata.template) ?? 0;
    if (id === current || earlier.includes(id)) continue;
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

interface Tried {
  readonly label: string;
  readonly spec: ContainerSpec;
  readonly reach: Reach;
  readonly database: string | undefined;
}

/** Something that no record knows, so it carries its own end for the reconciler of a server that runs beside us. */
async function tried(
  { node, address, databases, freePort, clock = systemClock }: CheckpointDeps,
  template: Template,
  what: string,
): Promise<Tried> {
  const keepUntilMs = clock.now() + KEEP_MS;
  const hostPort = await freePort();
  if (what !== 'source' && template.database !== undefined && databases === undefined) {
    throw new TryItNowError(
      'database_unavailable',
      `Template ${template.name} has a database, but this node has no database server; set DATABASE_SOCKET`,
    );
  }
  const name = `demo-${what}-${randomBytes(6).toString('hex')}`;
  // Nobody's: it leads nowhere. An app that takes requests for its public name only is asked all the same.
  const label = newHostLabel();
  return {
    spec: { name, instanceId: undefined, template, hostPort, env: {}, keepUntilMs },
    label,
    reach: {
      container: name,
      origin: `http://${node.address}:${hostPort}`,
      upstream: { address: node.address, port: hostPort },
      visitor: publicOrigin(address, label),
    },
    database: template.database === undefined ? undefined : databases?.nameFor({ keepUntilMs }),
  };
}

/** What cannot be removed is left to the reconciler, and must not hide why we are here. */
async function removed({ log }: CheckpointDeps, remove: () => Promise<void>): Promise<void> {
  try {
    await remove();
  } catch (error) {
    log.warn(
      { reason: describeError(error) },
      'Something made for a checkpoint is still there; the reconciler will remove it',
    );
  }
}

/** Throws unknown_template, naming those there are. */
export function requireTemplate(catalogue: Catalogue, name: string): Template {
  const template = catalogue.get(name);
  if (template === undefined) {
    throw new TryItNowError(
      'unknown_template',
      `There is no template ${name}; there ${catalogue.all().length === 1 ? 'is' : 'are'} ${catalogue
        .all()
        .map((known) => known.name)
        .join(', ')}`,
    );
  }
  return template;
}

function requireRestorable(template: Template): void {
  const why = whyNotRestorable(template);
  if (why !== undefined)
    throw new TryItNowError(
      'checkpoint_failed',
      `No checkpoint can be made of template ${template.name}: ${why}. Its instances start cold. To have them ` +
        'restored, hand these values over in its activation.',
    );
}

async function requireCheckpointing({ checkpointing, runtime }: CheckpointDeps): Promise<Checkpointing> {
  if (checkpointing === undefined)
    throw new TryItNowError(
      'checkpointing_unavailable',
      `Containers here are run by ${runtime.engine}, which cannot restore checkpoints; Podman can`,
    );
  const availability = await checkpointing.availability();
  if (!availability.available) throw new TryItNowError('checkpointing_unavailable', availability.reason);
  return checkpointing;
}

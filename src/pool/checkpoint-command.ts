import { randomBytes } from 'node:crypto';
import { publicOrigin, type PublicAddress } from '../domain/address.ts';
import { systemClock, type Clock } from '../domain/clock.ts';
import { DATABASE_SERVERS } from '../domain/database.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';
import { newHostLabel } from '../domain/ids.ts';
import type { Log } from '../domain/log.ts';
import { whyNotRestorable } from '../domain/restorable.ts';
import type { Catalogue, Template } from '../domain/template.ts';
import type { Reach } from './activate.ts';
import type { CheckpointRepository } from './interfaces/checkpoint-repository.ts';
import type { Checkpointing } from './interfaces/checkpointing.ts';
import type { ContainerRuntime, ContainerSpec } from './interfaces/container-runtime.ts';
import type { Databases } from './interfaces/databases.ts';
import type { Probe } from './interfaces/probe.ts';
import type { Promotions } from './interfaces/promotions.ts';

export interface CheckpointDeps {
  readonly catalogue: Pick<Catalogue, 'get' | 'all' | 'version' | 'versionsOf'>;
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
  /** In the names of its containers, so that whoever goes on with it after a kill finds them; ends with a hyphen. */
  readonly mark?: string;
  readonly log: Log;
  readonly clock?: Clock;
}

/** Told as each step begins: long ones show progress. */
export type OnStep = (step: string) => void;

/** How long the containers and databases of one command outlive it at most, should it be killed. */
const KEEP_MS = 30 * 60_000;

export interface Tried {
  readonly label: string;
  readonly spec: ContainerSpec;
  readonly reach: Reach;
  readonly database: string | undefined;
}

/** Something that no record knows, so it carries its own end for the reconciler of a server that runs beside us. */
export async function tried(
  { node, address, databases, freePort, mark = '', clock = systemClock }: CheckpointDeps,
  template: Template,
  what: string,
): Promise<Tried> {
  const keepUntilMs = clock.now() + KEEP_MS;
  const hostPort = await freePort();
  if (what !== 'source' && template.database !== undefined && databases === undefined) {
    throw new TryItNowError(
      'database_unavailable',
      `Template ${template.name} has a database, but this node has no database server; set ` +
        DATABASE_SERVERS[template.database.engine].socket,
    );
  }
  const name = `demo-${mark}${what}-${randomBytes(6).toString('hex')}`;
  // Nobody's: it leads nowhere. An app that takes requests for its public name only is asked all the same.
  const label = newHostLabel();
  return {
    label,
    spec: { name, instanceId: undefined, template, hostPort, env: {}, keepUntilMs },
    reach: {
      container: name,
      origin: `http://${node.address}:${hostPort}`,
      upstream: { address: node.address, port: hostPort },
      visitor: publicOrigin(address, label),
    },
    database: template.database === undefined ? undefined : databases?.nameFor(template, { keepUntilMs }),
  };
}

/** What cannot be removed is left to the reconciler, and must not hide why we are here. */
export async function removed({ log }: Pick<CheckpointDeps, 'log'>, remove: () => Promise<void>): Promise<void> {
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
export function requireTemplate(catalogue: CheckpointDeps['catalogue'], name: string): Template {
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

/** Throws checkpoint_failed for a template whose containers are told at their start what is each one's own. */
export function requireRestorable(template: Template): void {
  const why = whyNotRestorable(template);
  if (why !== undefined)
    throw new TryItNowError(
      'checkpoint_failed',
      `No checkpoint can be made of template ${template.name}: ${why}. Its instances start cold.`,
    );
}

export async function requireCheckpointing({ checkpointing, runtime }: CheckpointDeps): Promise<Checkpointing> {
  if (checkpointing === undefined)
    throw new TryItNowError(
      'checkpointing_unavailable',
      `Containers here are run by ${runtime.engine}, which cannot restore checkpoints; Podman can`,
    );
  const availability = await checkpointing.availability();
  if (!availability.available) throw new TryItNowError('checkpointing_unavailable', availability.reason);
  return checkpointing;
}

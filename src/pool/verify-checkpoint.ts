import { randomBytes } from 'node:crypto';
import { foreignHostname, hostname, instanceUrl } from '../domain/address.ts';
import type { CheckpointMetadata } from '../domain/checkpoint.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Given } from '../domain/identity-answer.ts';
import { newInstanceId } from '../domain/ids.ts';
import type { Template } from '../domain/template.ts';
import { turns, type Turns } from '../lifecycle/turns.ts';
import { activate, askIdentity, runCheck, type Identity, type Reach } from './activate.ts';
import {
  removed,
  requireCheckpointing,
  requireTemplate,
  tried,
  type CheckpointDeps,
  type OnStep,
} from './checkpoint-command.ts';
import { askPages, requireDifferent, untilNextSecond, type CloneAnswers } from './compare-clones.ts';
import type { Checkpointing, OpenCheckpoint } from './interfaces/checkpointing.ts';
import { untilReady } from './readiness.ts';

const RESTORED_READY_MS = 5_000;
const SEED_BYTES = 32;

export interface Verification {
  readonly metadata: CheckpointMetadata;
  /** From the start of the restore to the app's answer, of each clone, in ms. */
  readonly restoreMs: readonly number[];
  /** What the clones' identity probes answered; empty where the template has `identity: none`. */
  readonly identities: readonly string[];
}

/**
 * Throws checkpoint_not_verified for a template that says nothing of its identity: whether clones are each their own
 * could not be told, and they share every secret drawn before the dump.
 */
export function requireIdentity({ name, identity }: Template): NonNullable<Template['identity']> {
  if (identity !== undefined) return identity;
  throw new TryItNowError(
    'checkpoint_not_verified',
    `Template ${name} has no identity probe, so nobody can tell whether two clones of a checkpoint are each their ` +
      'own; give it one (identity: {http: /path} or {exec: [command]}), or write identity: none if its instances ' +
      'may be the same in everything, secrets and sessions included',
  );
}

/**
 * Restores two clones side by side, activates both, asks each who it is and for its pages, and has each pass
 * `checkpoint.check`. Throws checkpoint_not_verified when the template has no identity probe, both answer alike but for
 * what they were given, hand out the same random values, or one fails the check or names another instance's address,
 * and what the restores throw.
 */
export async function verifyCheckpoint(
  deps: CheckpointDeps,
  id: string,
  onStep: OnStep,
  signal: AbortSignal,
): Promise<Verification> {
  const metadata = await deps.checkpointRepository.metadata(id);
  const template = requireTemplate(deps.catalogue, metadata.template);
  const identity = requireIdentity(template);
  onStep('trying whether this host can dump and restore');
  const checkpointing = await requireCheckpointing(deps);
  onStep(`checking the archive of ${id}`);
  const from = await deps.checkpointRepository.open(id, {
    template: template.name,
    templateVersion: deps.catalogue.version(template.name) ?? '',
    host: await checkpointing.host(template),
  });
  await deps.runtime.prepare([template]);
  await deps.databases?.prepare([template]);

  onStep('restoring and activating two clones');
  const source: CloneSource = { id, template, identity, checkpointing, from, inTurn: turns() };
  const clones = [tryClone(deps, source, signal), tryClone(deps, source, signal)];
  await Promise.allSettled(clones);
  const [first, second] = await Promise.all(clones);
  if (first === undefined || second === undefined) throw new Error('two clones were asked for');
  requireDifferent(metadata, first, second);
  return {
    metadata,
    restoreMs: [first.restoreMs, second.restoreMs],
    identities: [first, second].flatMap((clone) => clone.identity ?? []),
  };
}

/**
 * Some apps keep the first address they are asked at: clones would lead every visitor to the source of the dump. What
 * does not speak HTTP has nothing to say. Throws checkpoint_not_verified.
 */
async function requireOwnAddress(
  { probe, address }: CheckpointDeps,
  { name, open, readiness }: Template,
  { id, label, reach }: { readonly id: string; readonly label: string; readonly reach: Reach },
  signal: AbortSignal,
): Promise<void> {
  const target = { url: `${reach.origin}${open}`, visitor: reach.visitor, timeoutMs: readiness.requestTimeoutMs };
  const said = await probe.ask(target, signal).catch(() => undefined);
  signal.throwIfAborted();
  const foreign = said === undefined ? undefined : foreignHostname(address, label, `${said.location}\n${said.body}`);
  if (foreign !== undefined)
    throw new TryItNowError(
      'checkpoint_not_verified',
      `A clone of checkpoint ${id} names ${foreign} at ${open} instead of its own address: the app of template ` +
        `${name} keeps the first one it is asked at, which was that of the dumped instance. Have it take its address ` +
        'from each request or from its activation, or keep it from being asked before the dump: readiness: {tcp: ' +
        'true} and no checkpoint.warmup',
    );
}

/** Without the seed and the database's password: what shows them, or a hash of them, has a secret of its own. */
function givenTo(
  { instanceId, hostname: host, url, database }: Identity,
  { label, reach }: { readonly label: string; readonly reach: Reach },
): Given {
  return {
    'the instance id': instanceId,
    'the host name': host,
    'the label of the host name': label,
    'the URL': url,
    'the URL without its last slash': url.replace(/\/$/, ''),
    'the host and port of the URL': reach.visitor.host,
    'the name of the container': reach.container,
    'the address on the host': reach.origin,
    'the port on the host': String(reach.upstream.port),
    'the socket of the database': database?.socket,
    'the name of the database': database?.name,
    'the user of the database': database?.user,
  };
}

interface CloneSource {
  readonly id: string;
  readonly template: Template;
  readonly identity: NonNullable<Template['identity']>;
  readonly checkpointing: Checkpointing;
  readonly from: OpenCheckpoint;
  /** What one clone is asked, and when, must not be asked of the other at the same time. */
  readonly inTurn: Turns;
}

/** Restores an instance that nobody is handed, activates, asks and checks it. It is gone when this returns. */
async function tryClone(
  deps: CheckpointDeps,
  { id, template, identity, checkpointing, from, inTurn }: CloneSource,
  signal: AbortSignal,
): Promise<CloneAnswers & { readonly restoreMs: number }> {
  const { spec, label, reach, database } = await tried(deps, template, 'clone');
  try {
    const startedAt = performance.now();
    await checkpointing.restore(spec, from, signal);
    await untilReady(deps, template.readiness, reach, RESTORED_READY_MS, signal);
    const restoreMs = performance.now() - startedAt;
    const own: Identity = {
      instanceId: newInstanceId(),
      hostname: hostname(deps.address, label),
      url: instanceUrl(deps.address, label),
      seed: randomBytes(SEED_BYTES).toString('hex'),
      database: database === undefined ? undefined : await deps.databases?.create(database, template),
    };
    await activate(deps, template, reach, own, signal);
    const answer = identity === 'none' ? undefined : await askIdentity(deps, template, identity, reach, signal);
    const pages =
      answer === undefined
        ? []
        : await inTurn(async () => {
            const asked = await askPages(deps.probe, template, reach, signal);
            await untilNextSecond(signal);
            return asked;
          });
    await requireOwnAddress(deps, template, { id, label, reach }, signal);
    await runCheck(deps, template, id, reach, signal);
    return { restoreMs, identity: answer, given: givenTo(own, { label, reach }), pages };
  } finally {
    await removed(deps, () => deps.runtime.remove(spec.name));
    if (database !== undefined) await removed(deps, async () => deps.databases?.drop(database));
  }
}

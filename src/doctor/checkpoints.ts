import { readdir } from 'node:fs/promises';
import type { CheckpointMetadata } from '../domain/checkpoint.ts';
import { describeError } from '../domain/errors.ts';
import { isOfOtherProgram } from '../domain/checkpoint-fit.ts';
import { templateVersion, type Template } from '../domain/template.ts';
import type { CheckpointMode } from '../config/config.ts';
import type { CheckpointRepository } from '../pool/interfaces/checkpoint-repository.ts';
import type { CheckpointOffers } from '../pool/interfaces/checkpoint-offers.ts';
import type { CheckpointShare } from '../pool/interfaces/checkpoint-share.ts';
import type { Checkpointing } from '../pool/interfaces/checkpointing.ts';
import type { Promotions } from '../pool/interfaces/promotions.ts';
import { WHO_RESTORES } from '../runtime/engines.ts';
import {
  NotChecked,
  failure,
  notChecked,
  ok,
  thrown,
  warning,
  type Check,
  type Observation,
  type Shared,
} from './check.ts';

const PART = 'CRIU';
const FOLDER = 'folder of checkpoints';
const SHARE = 'checkpoints for other nodes';
const RANDOM = 'random numbers of clones';
/** A tiny container is dumped and restored for real. */
const TRIAL_MS = 25_000;
/** The rest is for removing what the trial made. */
const TRY_MS = 18_000;
const BY_ITSELF = 'It makes one by itself: `try-it-now nodes show NODE` says how far it is, or why it does not.';

export interface CheckpointTargets {
  readonly mode: CheckpointMode;
  readonly dir: string;
  readonly templates: readonly Template[];
  /** Undefined for an engine that cannot restore. */
  readonly checkpointing: Shared<Checkpointing | undefined>;
  readonly checkpointRepository: CheckpointRepository;
  readonly promotions: Shared<Promotions>;
  readonly offers: Shared<Pick<CheckpointOffers, 'list'>>;
  /** Undefined: nothing goes from node to node. */
  readonly share: Pick<CheckpointShare, 'name' | 'list'> | undefined;
  /** Told of the trial, which removes what it made even when it is not waited for any longer. */
  readonly underWay: (trial: Promise<unknown>) => void;
}

/** Whether this host can restore, and from what each template is. */
export function checkpointChecks(parts: CheckpointTargets): Check[] {
  if (parts.mode === 'off')
    return [
      {
        part: PART,
        what: 'available',
        run: () => Promise.resolve([ok('available', 'switched off by CRIU_ENABLED=false: instances start cold')]),
      },
    ];
  return [
    { part: PART, what: 'available', limitMs: TRIAL_MS, run: async () => [await availability(parts)] },
    { part: PART, what: RANDOM, run: async () => [await freshRandom(parts)] },
    { part: PART, what: FOLDER, run: async () => [await folder(parts)] },
    { part: PART, what: SHARE, run: async () => [await shared(parts)] },
    ...parts.templates
      .filter(({ checkpoint }) => checkpoint.enabled)
      .map((template): Check => ({
        part: PART,
        what: `checkpoint of ${template.name}`,
        run: async () => [await promoted(parts, template)],
      })),
  ];
}

async function availability({ mode, checkpointing, underWay }: CheckpointTargets): Promise<Observation> {
  const engine = await checkpointing.need();
  if (engine === undefined) return notChecked('available', `${WHO_RESTORES}: instances start cold`);
  const trial = engine.availability(TRY_MS);
  underWay(trial);
  const found = await trial;
  if (found.available) return ok('available', 'a trial container was dumped and restored');
  const remedy = 'docs/criu-checkpoint.md lists what is needed; CRIU_ENABLED=false says that instances may start cold.';
  return mode === 'on'
    ? failure('available', found.reason, remedy)
    : warning('available', `${found.reason}; instances start cold`, remedy);
}

async function freshRandom({ checkpointing }: CheckpointTargets): Promise<Observation> {
  const engine = await checkpointing.need();
  if (engine === undefined) return notChecked(RANDOM, `${WHO_RESTORES}: there are no clones`);
  const why = await engine.whyNotFresh();
  return why === undefined
    ? ok(RANDOM, 'OpenSSL and Node are made to draw new ones after each restore')
    : warning(
        RANDOM,
        `${why}: where OpenSSL or Node is in an app, its clones draw the same, or are not restored at all`,
        'Install perl (perl-base of Debian has all that is needed) on an x86-64 host whose root may trace processes, ' +
          'or start such templates cold: checkpoint: {enabled: false}.',
      );
}

/** Looked at without the repository, which makes one that is missing: for whoever asks, not for the server. */
async function folder({ dir }: CheckpointTargets): Promise<Observation> {
  try {
    await readdir(dir);
    return ok(FOLDER, `${dir} can be read`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ok(FOLDER, `${dir} is made with the first of them`);
    return failure(
      FOLDER,
      `${dir} cannot be read: ${describeError(error)}; instances start cold on this node`,
      'Mount its disk again or give it to the user of the server; CHECKPOINT_DIR names another one.',
    );
  }
}

async function shared({ share }: CheckpointTargets): Promise<Observation> {
  if (share === undefined) return ok(SHARE, 'none: CHECKPOINT_SHARE=off, so that they are copied by hand');
  try {
    const sizes = [...(await share.list()).values()];
    const megabytes = Math.round(sizes.reduce((sum, size) => sum + size, 0) / 1e6);
    return ok(SHARE, `${share.name} has ${sizes.length}, ${megabytes} MB together`);
  } catch (error) {
    return failure(
      SHARE,
      describeError(error),
      'Until it answers, nodes that lack a promoted checkpoint start cold; CHECKPOINT_SHARE names another place.',
    );
  }
}

async function promoted(
  { checkpointRepository, promotions, dir, checkpointing, offers }: CheckpointTargets,
  template: Template,
): Promise<Observation> {
  const { name } = template;
  const what = `checkpoint of ${name}`;
  const create = `try-it-now checkpoint create ${name} --promote`;
  const { current, failures, withdrawn } = await (await promotions.need()).status(name);
  if (current === undefined) {
    return withdrawn === undefined
      ? ok(what, `none is promoted: instances start cold (\`${create}\` makes one)`)
      : warning(
          what,
          `${withdrawn} was taken out because it did not restore; instances start cold`,
          `Make another: \`${create}\`.`,
        );
  }
  const stored = await checkpointRepository.list();
  const version = templateVersion(template);
  const own = stored.find(({ metadata }) => metadata?.standsFor === current && metadata.templateVersion === version);
  if (own?.metadata !== undefined && (await misfit(checkpointing, template, own.metadata.host)) === undefined)
    return ok(what, `${current} does not work here; ${own.id}, made on this node, takes its place`);
  if (!stored.some(({ id }) => id === current) && (await (await offers.need()).list()).has(current))
    return warning(
      what,
      `${current} is promoted, and not on this node yet; instances start cold`,
      'It arrives by itself: `try-it-now nodes show NODE` says how far it is, or why it does not.',
    );
  let metadata;
  try {
    metadata = await checkpointRepository.metadata(current);
  } catch (error) {
    return failure(
      what,
      `${current} is promoted, but cannot be used on this node: ${describeError(error)}`,
      `Copy ${current}.tar and ${current}.json into ${dir}/${name} from where they were made, or make another: ` +
        `\`${create}\`.`,
    );
  }
  const unfit = await misfit(checkpointing, template, metadata.host);
  const isOther = metadata.templateVersion !== version;
  if (unfit !== undefined && unfit.kind !== 'kernel' && !(isOther && !isOfOtherProgram(metadata, template)))
    return failure(what, `${current} ${unfit.seen}; instances start cold`, `Make another on this host: \`${create}\`.`);
  if (isOther) return warning(what, ...otherVersion(metadata, template, create));
  if (unfit !== undefined)
    return warning(what, `${current} ${unfit.seen}; instances start cold until this node has its own`, BY_ITSELF);
  return failures === 0
    ? ok(what, `${current} is promoted`)
    : warning(
        what,
        `${current} is promoted; its last ${failures} restores failed`,
        `See \`try-it-now checkpoint verify ${current}\`.`,
      );
}

/** What is seen, and the remedy. */
function otherVersion(metadata: CheckpointMetadata, template: Template, create: string): readonly [string, string] {
  const { id, settingsVersion } = metadata;
  if (isOfOtherProgram(metadata, template))
    return [
      `${id} was made by another version of the program; instances start cold until this node has its own`,
      BY_ITSELF,
    ];
  return settingsVersion === undefined
    ? [
        `${id} is of another version of the template, and too old to say whether you or an upgrade made the ` +
          'difference; instances start cold until you make another',
        `Make another: \`${create}\`.`,
      ]
    : [
        `${id} is of another version of the template; instances start cold until you make another`,
        `Make another: \`${create}\`.`,
      ];
}

/** `seen` is a clause. Undefined where it fits, and where nobody can say. */
async function misfit(
  checkpointing: Shared<Checkpointing | undefined>,
  template: Template,
  made: { readonly imageId: string; readonly kernel: string },
): Promise<{ readonly seen: string; readonly kind: 'image' | 'kernel' | 'unknown' } | undefined> {
  try {
    const here = await (await checkpointing.need())?.host(template);
    if (here === undefined) return undefined;
    if (here.imageId !== made.imageId)
      return { seen: `was made of another image than ${template.image} is now`, kind: 'image' };
    if (here.kernel === made.kernel) return undefined;
    return { seen: `was made on kernel ${made.kernel}, and this is ${here.kernel}`, kind: 'kernel' };
  } catch (error) {
    if (error instanceof NotChecked) return undefined;
    return { seen: `could not be compared with this host: ${thrown('', error).seen}`, kind: 'unknown' };
  }
}

import type { Clock } from '../domain/clock.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { ImageCheck } from '../domain/image-check.ts';
import type { ImagePin } from '../domain/image-pin.ts';
import { whyNobodyTries } from '../domain/image-trial-host.ts';
import {
  IMAGE_UPDATE_VERSION,
  isTriedFirst,
  watchedImages,
  type ImageState,
  type ImageUpdate,
  type WatchedImage,
} from '../domain/image-update.ts';
import type { Catalogue } from '../domain/template.ts';
import type { ImagePins } from './interfaces/image-pins.ts';
import type { ImageUpdates } from './interfaces/image-updates.ts';
import type { NodeRegistry } from './interfaces/node-registry.ts';
import { nextImageCheckMs } from './next-image-check.ts';

export interface OperateImagesDeps {
  readonly catalogue: Pick<Catalogue, 'all' | 'get'>;
  readonly imagePins: Pick<ImagePins, 'of'>;
  readonly imageUpdates: Pick<ImageUpdates, 'read' | 'decide' | 'rollBack'>;
  readonly registry: Pick<NodeRegistry, 'nodes'>;
  readonly requestReconcile: () => void;
  readonly clock: Clock;
}

/** One image as an operator sees it. */
export interface ImageSnapshot extends ImageUpdate {
  readonly name: string;
  readonly templates: readonly string[];
  readonly checks: readonly ImageCheck[];
  readonly state: ImageState;
  /** What visitors get; undefined before a server has had it. */
  readonly pin: ImagePin | undefined;
  /** Undefined: only when somebody asks. */
  readonly nextCheckMs: number | undefined;
  /** Why no host looks for new ones, or tries them; undefined: one does, or nobody is to. */
  readonly obstacle: string | undefined;
}

type SnapshotDeps = Pick<OperateImagesDeps, 'imagePins' | 'imageUpdates' | 'registry' | 'clock'>;

/** By name. Throws store_unavailable. */
export async function listImages(
  deps: SnapshotDeps & Pick<OperateImagesDeps, 'catalogue'>,
): Promise<readonly ImageSnapshot[]> {
  const images = [...watchedImages(deps.catalogue.all())].sort((a, b) => (a.name < b.name ? -1 : 1));
  return snapshots(deps, images);
}

/** Looks for a new one now, and tries also what was refused. Throws unknown_image, image_not_checked, image_held. */
export async function checkImage(deps: OperateImagesDeps, named: string): Promise<ImageSnapshot> {
  const image = requireChecked(deps, named);
  const [update] = await deps.imageUpdates.read([image.name]);
  if (update?.held !== undefined)
    throw new TryItNowError(
      'image_held',
      `${image.name} is held as it is, so that nothing new is tried; let go of it first ` +
        `(\`try-it-now images release ${named}\`)`,
    );
  await deps.imageUpdates.decide(image.name, { asked: { v: IMAGE_UPDATE_VERSION, atMs: deps.clock.now() } });
  return snapshot(deps, image);
}

/** Nothing new goes to visitors until it is let go. Throws unknown_image, image_not_checked. */
export async function holdImage(
  deps: OperateImagesDeps,
  named: string,
  reason: string | undefined,
): Promise<ImageSnapshot> {
  const image = requireChecked(deps, named);
  const held = {
    v: IMAGE_UPDATE_VERSION,
    atMs: deps.clock.now(),
    ...(reason === undefined ? {} : { reason }),
  } as const;
  await deps.imageUpdates.decide(image.name, { held, asked: undefined });
  return snapshot(deps, image);
}

/** Throws unknown_image, image_not_checked. */
export async function releaseImage(deps: OperateImagesDeps, named: string): Promise<ImageSnapshot> {
  const image = requireChecked(deps, named);
  await deps.imageUpdates.decide(image.name, { held: undefined });
  return snapshot(deps, image);
}

/**
 * Has visitors get the one before again, and refuses the one that they get now. A second time leads forward again.
 * Throws unknown_image, image_not_checked, no_earlier_image, conflicting_change.
 */
export async function rollBackImage(deps: OperateImagesDeps, named: string): Promise<ImageSnapshot> {
  const image = requireChecked(deps, named);
  const { name } = image;
  const [[update], pins] = await Promise.all([deps.imageUpdates.read([name]), deps.imagePins.of([name])]);
  const [pin, former] = [pins.get(name), update?.former];
  if (pin === undefined || former === undefined)
    throw new TryItNowError(
      'no_earlier_image',
      `Nothing has taken the place of ${name} so far, so there is no way back`,
    );
  const nowMs = deps.clock.now();
  const moved = await deps.imageUpdates.rollBack(
    {
      name,
      from: pin,
      to: former.pin,
      former: { v: IMAGE_UPDATE_VERSION, pin, untilMs: nowMs, promoted: former.dropped ?? {} },
      refused: {
        ...{ v: IMAGE_UPDATE_VERSION, id: pin.id, ...(pin.digest === undefined ? {} : { digest: pin.digest }) },
        ...{ why: 'rolled_back', reason: 'an operator went back to the one before', node: pin.node, atMs: nowMs },
      },
    },
    former.promoted,
  );
  if (!moved)
    throw new TryItNowError(
      'conflicting_change',
      `${name} came to stand for another image at this very moment; see \`try-it-now images list\`, and go back again`,
    );
  deps.requestReconcile();
  return snapshot(deps, image);
}

async function snapshot(deps: SnapshotDeps, image: WatchedImage): Promise<ImageSnapshot> {
  const [found] = await snapshots(deps, [image]);
  if (found === undefined) throw new Error('one image was asked for');
  return found;
}

async function snapshots(
  { imagePins, imageUpdates, registry, clock }: SnapshotDeps,
  images: readonly WatchedImage[],
): Promise<readonly ImageSnapshot[]> {
  const nowMs = clock.now();
  const names = images.map(({ name }) => name);
  const [pins, updates, nodes] = await Promise.all([imagePins.of(names), imageUpdates.read(names), registry.nodes()]);
  return images.flatMap((image, at) => {
    const update = updates[at];
    if (update === undefined) return [];
    const { name, checks } = image;
    const pin = pins.get(name);
    const lastMs = update.checked?.atMs;
    const isWatched = isTriedFirst(image) && update.held === undefined;
    return {
      ...update,
      name,
      templates: image.templates.map((template) => template.name),
      checks,
      state: stateOf(image, update, pin),
      pin,
      nextCheckMs: update.held === undefined ? nextImageCheckMs(checks, { lastMs, sinceMs: nowMs, nowMs }) : undefined,
      obstacle: isWatched ? whyNobodyTries(image, nodes) : undefined,
    };
  });
}

function stateOf(
  image: WatchedImage,
  { held, tried, asked, refused }: ImageUpdate,
  pin: ImagePin | undefined,
): ImageState {
  if (!isTriedFirst(image)) return 'unchecked';
  if (held !== undefined) return 'held';
  if (tried !== undefined) return 'trying';
  if (asked !== undefined) return 'asked';
  if (pin === undefined) return 'unknown';
  return refused?.why === 'failed' ? 'refused' : 'current';
}

/** By the image's name or by that of a template, whose own image is meant then. */
function requireChecked({ catalogue }: Pick<OperateImagesDeps, 'catalogue'>, named: string): WatchedImage {
  const images = watchedImages(catalogue.all());
  const own = catalogue.get(named)?.image;
  const found = images.find(({ name }) => name === named) ?? images.find(({ name }) => name === own);
  if (found === undefined)
    throw new TryItNowError(
      'unknown_image',
      `No template has the image ${JSON.stringify(named.slice(0, 200))}; see \`try-it-now images list\``,
    );
  if (!isTriedFirst(found))
    throw new TryItNowError(
      'image_not_checked',
      `${found.name} has \`image_check: off\`, so what its name leads to goes to visitors as it is; set it to ` +
        '`manual`, or to a time such as `6h`',
    );
  return found;
}

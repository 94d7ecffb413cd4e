import Type, { type Static } from 'typebox';
import type { ImageCheck } from './image-check.ts';
import { registryOf } from './image-name.ts';
import { ImagePin, isByDigest, type FoundImage } from './image-pin.ts';
import { containerTemplates, type Template } from './template.ts';

/** Raised when the shape of an entry changes; one of another version is skipped. */
export const IMAGE_UPDATE_VERSION = 1;

const v = Type.Literal(IMAGE_UPDATE_VERSION);
const Millis = Type.Integer({ minimum: 0 });
const Found = { id: Type.String(), digest: Type.Optional(Type.String()) };

/** One that is being tried; without an id while it is fetched. */
export const TriedImage = Type.Object({
  v,
  id: Type.Optional(Type.String()),
  digest: Found.digest,
  node: Type.String(),
  step: Type.String(),
  sinceMs: Millis,
});
export type TriedImage = Static<typeof TriedImage>;

/** One that goes to nobody until somebody says so, or the name stands for another. */
export const RefusedImage = Type.Object({
  v,
  ...Found,
  why: Type.Enum(['failed', 'rolled_back']),
  reason: Type.String(),
  node: Type.String(),
  atMs: Millis,
});
export type RefusedImage = Static<typeof RefusedImage>;

/**
 * What the name stood for before, and the checkpoints that were promoted with what took its place, by template.
 * `dropped`: those that were current with it until an operator went back, and are so again on the way forward.
 */
export const FormerImage = Type.Object({
  v,
  pin: ImagePin,
  untilMs: Millis,
  promoted: Type.Record(Type.String(), Type.String()),
  dropped: Type.Optional(Type.Record(Type.String(), Type.String())),
});
export type FormerImage = Static<typeof FormerImage>;

/** Of the last look under the name. */
export const CheckedImage = Type.Object({
  v,
  atMs: Millis,
  /** Why it came to nothing, and since when that is so. `untried`: a new one is there, and could not be tried. */
  problem: Type.Optional(
    Type.Object({ reason: Type.String(), sinceMs: Millis, untried: Type.Optional(Type.Literal(true)) }),
  ),
});
export type CheckedImage = Static<typeof CheckedImage>;

/** An operator's word: nothing new until it is taken back. */
export const HeldImage = Type.Object({ v, atMs: Millis, reason: Type.Optional(Type.String()) });
export type HeldImage = Static<typeof HeldImage>;

/** An operator's word: look now, and try also what was refused. */
export const AskedImage = Type.Object({ v, atMs: Millis });
export type AskedImage = Static<typeof AskedImage>;

/** Of an image: `current` is as it is to be; `unchecked`: what its name leads to goes to visitors as it is. */
export const IMAGE_STATES = ['unchecked', 'unknown', 'current', 'asked', 'trying', 'refused', 'held'] as const;
export type ImageState = (typeof IMAGE_STATES)[number];

/** What is recorded of an image that is looked for again, beside what its name stands for. */
export interface ImageUpdate {
  readonly tried: TriedImage | undefined;
  readonly refused: RefusedImage | undefined;
  readonly former: FormerImage | undefined;
  readonly checked: CheckedImage | undefined;
  readonly held: HeldImage | undefined;
  readonly asked: AskedImage | undefined;
}

/** An image, and what is wanted of it. */
export interface WatchedImage {
  readonly name: string;
  /** Those that have a container of it. */
  readonly templates: readonly Template[];
  /** Those of them that it has to do for: a preview is somebody's work in progress, which says nothing of it. */
  readonly deciding: readonly Template[];
  /** Empty: nothing is tried before it goes to visitors. */
  readonly checks: readonly ImageCheck[];
  /** Whether it may be fetched. */
  readonly fetched: boolean;
}

/** Every image that a name stands for, each once; those that name a digest can never be another. */
export function watchedImages(templates: readonly Template[]): readonly WatchedImage[] {
  const names = new Set(templates.flatMap((template) => imagesOf(template)));
  return [...names]
    .filter((name) => !isByDigest(name))
    .map((name) => {
      const users = templates.filter((template) => imagesOf(template).includes(name));
      return {
        name,
        templates: users,
        deciding: users.filter(({ previewOf }) => previewOf === undefined),
        checks: users.flatMap(({ imageCheck }) => imageCheck ?? []),
        fetched: users.some(({ pull }) => pull !== 'never'),
      };
    });
}

/** Whether what is new under its name is tried before anybody gets it. */
export function isTriedFirst({ checks }: Pick<WatchedImage, 'checks'>): boolean {
  return checks.length > 0;
}

/** Whether a registry is asked for it. */
export function isFetched({ name, fetched }: Pick<WatchedImage, 'name' | 'fetched'>): boolean {
  return fetched && registryOf(name) !== undefined;
}

function imagesOf(template: Template): readonly string[] {
  return containerTemplates(template).map(({ image }) => image);
}

/** Digests tell, where both have one: an engine may give the same image another id. */
export function isSameImage(
  one: { readonly id: string; readonly digest?: string | undefined },
  other: { readonly id: string; readonly digest?: string | undefined },
): boolean {
  return one.id === other.id || (one.digest !== undefined && one.digest === other.digest);
}

/**
 * Whether what a name stands for on a node is to be tried: it has moved there since that was last looked at (`seen`),
 * or somebody asks; it is not what visitors get, nor what was refused.
 */
export function isToBeTried(
  found: FoundImage,
  {
    pin,
    seen,
    refused,
    asked,
  }: {
    readonly pin: ImagePin;
    readonly seen: string | undefined;
    readonly refused: RefusedImage | undefined;
    readonly asked: boolean;
  },
): boolean {
  if (isSameImage(found, pin)) return false;
  if (asked) return true;
  return seen !== undefined && seen !== found.id && (refused === undefined || !isSameImage(found, refused));
}

/** The template with this image in place of the named one: by its id, so that no tag leads elsewhere meanwhile. */
export function withImage(template: Template, name: string, id: string): Template {
  const swapped = (image: string): string => (image === name ? id : image);
  return {
    ...template,
    image: swapped(template.image),
    services: template.services.map((service) => ({ ...service, image: swapped(service.image) })),
  };
}

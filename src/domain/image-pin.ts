import Type, { type Static } from 'typebox';
import { fullName } from './image-name.ts';

/** Raised when the entry's shape changes; one of another version is skipped. */
export const IMAGE_PIN_VERSION = 1;

/** What an image's name stands for on every node, whatever its tag has moved to since. */
export const ImagePin = Type.Object({
  v: Type.Literal(IMAGE_PIN_VERSION),
  /** The engine's id, which is made of the content. */
  id: Type.String(),
  /** Of its registry, by which any node fetches just this; absent for one that was built or loaded. */
  digest: Type.Optional(Type.String()),
  /** Whose server decided. */
  node: Type.String(),
});
export type ImagePin = Static<typeof ImagePin>;

/** What a name stands for on one host. */
export interface FoundImage {
  readonly name: string;
  readonly id: string;
  readonly digest: string | undefined;
}

/** The same name with the digest in place of its tag. */
export function byDigest(name: string, digest: string): string {
  const colon = tagAt(name);
  return `${colon === -1 ? name : name.slice(0, colon)}@${digest}`;
}

/** A name that says itself what it stands for, for ever. */
export function isByDigest(name: string): boolean {
  return name.includes('@');
}

/** Of a name that says itself what it stands for; a tag before it says nothing. */
export function digestIn(name: string): string | undefined {
  return isByDigest(name) ? name.slice(name.indexOf('@') + 1) : undefined;
}

/** In one form, however templates and engines write it: with its registry, and the tag that one without stands for. */
export function withTag(name: string): string {
  return fullName(isByDigest(name) || tagAt(name) !== -1 ? name : `${name}:latest`);
}

/** With its registry, and without its tag and its digest. */
export function repositoryOf(name: string): string {
  const [bare = ''] = name.split('@');
  return fullName(tagAt(bare) === -1 ? bare : bare.slice(0, tagAt(bare)));
}

/** `digests`: of one image, as engines list them. The one that its registry has it by under this name. */
export function digestUnder(name: string, digests: readonly string[]): string | undefined {
  const repository = repositoryOf(name);
  return digests.map((each) => (repositoryOf(each) === repository ? digestIn(each) : undefined)).find(Boolean);
}

/** `digests`: of one image, as engines list them, with the repository before each. */
export function hasDigest(digests: readonly string[], digest: string): boolean {
  return digests.some((each) => each.endsWith(`@${digest}`));
}

function tagAt(name: string): number {
  return name.indexOf(':', name.lastIndexOf('/') + 1);
}

import Type, { type Static } from 'typebox';

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

/** As engines list a name: with the tag that one without stands for. */
export function withTag(name: string): string {
  return isByDigest(name) || tagAt(name) !== -1 ? name : `${name}:latest`;
}

/** Without its tag and its digest. */
export function repositoryOf(name: string): string {
  const [bare = ''] = name.split('@');
  return tagAt(bare) === -1 ? bare : bare.slice(0, tagAt(bare));
}

/** `digests`: of one image, as engines list them, with the repository before each. */
export function hasDigest(digests: readonly string[], digest: string): boolean {
  return digests.some((each) => each.endsWith(`@${digest}`));
}

function tagAt(name: string): number {
  return name.indexOf(':', name.lastIndexOf('/') + 1);
}

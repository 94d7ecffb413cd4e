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
  const slash = name.lastIndexOf('/');
  const colon = name.indexOf(':', slash + 1);
  return `${colon === -1 ? name : name.slice(0, colon)}@${digest}`;
}

/** A name that says itself what it stands for, for ever. */
export function isByDigest(name: string): boolean {
  return name.includes('@');
}

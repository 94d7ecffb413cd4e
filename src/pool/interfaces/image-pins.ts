import type { FoundImage, ImagePin } from '../../domain/image-pin.ts';

/** What the names of images stand for on all nodes. All methods throw store_unavailable. */
export interface ImagePins {
  /** Those that were decided on, of these names. */
  of(names: readonly string[]): Promise<ReadonlyMap<string, ImagePin>>;
  /**
   * What the name is to stand for. With `decides` that is what it stands for on this node, where nothing was decided
   * before, where it has moved here since that was last told, or where what it leads to here was refused and new images
   * are not tried first (`triedFirst`) any more; without it undefined where nothing was decided.
   */
  agree(
    found: FoundImage,
    how: { readonly decides: boolean; readonly triedFirst: boolean },
  ): Promise<ImagePin | undefined>;
  /** Names that a server went by within the last so many ms. */
  usedWithin(ms: number): Promise<readonly string[]>;
  /** These are gone by. What nobody has gone by for 30 days is forgotten, how it came to be so after 60. */
  keep(names: readonly string[]): Promise<void>;
}

import type { ImagePin } from '../../domain/image-pin.ts';
import type { FormerImage, ImageUpdate, RefusedImage } from '../../domain/image-update.ts';
import type { ImageEntry } from '../../domain/visit-event.ts';

/** Of the process whose turn it is: what it writes counts only while nobody else has had it. */
export interface Fence {
  readonly task: string;
  readonly term: number;
}

/** What becomes of a field: its new value, undefined to remove it. Those that are not named stay. */
export type ImageUpdateChanges = { readonly [Field in keyof ImageUpdate]?: ImageUpdate[Field] | undefined };

/** A name, and what it is to stand for. */
export interface ImageMove {
  readonly name: string;
  readonly from: ImagePin;
  readonly to: ImagePin;
  /** As it is recorded afterwards. */
  readonly former: FormerImage;
  readonly refused: RefusedImage | undefined;
}

/** How images come to be others than they were. All methods throw store_unavailable. */
export interface ImageUpdates {
  /** Of each name, in their order. */
  read(names: readonly string[]): Promise<readonly ImageUpdate[]>;
  /** What names stood for on this node when that was last looked at, where it was. */
  seen(names: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /**
   * Says how far it is, and what the name stands for on this node: `first` where that was never told. `event`: what
   * those who want to hear of it are told. False, and nothing done, when another process has had the turn.
   */
  note(
    fence: Fence,
    name: string,
    here: { readonly id: string; readonly when: 'first' | 'always' },
    changes: ImageUpdateChanges,
    event?: ImageEntry,
  ): Promise<boolean>;
  /**
   * Has it go to visitors, on every node, with the checkpoints made of it (by template), and those told who want to
   * hear of it. False, and nothing done, when the name stands for another by now, somebody holds it, or another process
   * has had the turn.
   */
  adopt(fence: Fence, move: ImageMove, event: ImageEntry): Promise<boolean>;
  /**
   * The way back, by an operator: `dropped` are current no more, where they were, which is recorded with the former
   * one; those that came with it before are current again. False when the name stands for another by now.
   */
  rollBack(move: ImageMove, dropped: FormerImage['promoted']): Promise<boolean>;
  /** Of an operator: `held`, `asked`, or their end. */
  decide(name: string, changes: Pick<ImageUpdateChanges, 'held' | 'asked'>): Promise<void>;
}

import type { Preview } from '../../domain/preview.ts';

export interface WantedPreview {
  readonly name: string;
  readonly from: string;
  readonly image: string;
  readonly title: string | undefined;
  readonly endsAtMs: number;
  /** Who puts it, as the audit log names them. */
  readonly by: string;
}

export interface PreviewLimits {
  /** How many previews of one template may be offered at once. */
  readonly offered: number;
  /** How many of them may be recorded: those that are offered, and those that have ended and are not gone yet. */
  readonly recorded: number;
  readonly nowMs: number;
}

/** It was put, or why not: `of`, the template whose preview has the name; `count`, how many others there are. */
export type PreviewPut =
  | { readonly preview: Preview }
  | { readonly refused: 'name_taken'; readonly of: string }
  | { readonly refused: 'offered' | 'recorded'; readonly count: number };

/** What a preview is, and the text that it is kept as. */
export interface StoredPreview {
  readonly preview: Preview;
  readonly text: string;
}

/** Copies of templates that are offered until they end. All throw store_unavailable. */
export interface Previews {
  /** Sorted by name, with those that have ended and of which something is left. */
  list(): Promise<readonly StoredPreview[]>;
  /** In place of an earlier one of the same template. */
  put(wanted: WantedPreview, limits: PreviewLimits): Promise<PreviewPut>;
  /** Has it end at once. Undefined when there is none; `of`: none of this template. */
  end(name: string, nowMs: number, of?: string): Promise<Preview | undefined>;
  /**
   * Forgets it with all that is kept for its name; `template`: but for what a template of the same name has by now.
   * False when it is another one by now, or instances of it are left.
   */
  forget(stored: StoredPreview, keepFor?: 'template'): Promise<boolean>;
  /** What names of images stand for, and what they stood for on these nodes. */
  forgetImages(images: readonly string[], nodes: readonly string[]): Promise<void>;
}

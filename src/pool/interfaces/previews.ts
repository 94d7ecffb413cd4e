import type { Preview } from '../../domain/preview.ts';

export interface WantedPreview {
  readonly name: string;
  readonly from: string;
  readonly image: string;
  readonly title: string | undefined;
  readonly endsAtMs: number;
}

/** What a preview is, and the text that it is kept as. */
export interface StoredPreview {
  readonly preview: Preview;
  readonly text: string;
}

/** Copies of templates that are offered until they end. All throw store_unavailable. */
export interface Previews {
  /** Sorted by name, with those that have ended and of which something is left. */
  list(): Promise<readonly StoredPreview[]>;
  /** In place of an earlier one. A number: so many others of its template are offered, which is as many as may be. */
  put(wanted: WantedPreview, limit: { readonly max: number; readonly nowMs: number }): Promise<Preview | number>;
  /** Has it end at once. Undefined when there is none. */
  end(name: string, nowMs: number): Promise<Preview | undefined>;
  /**
   * Forgets it with all that is kept for its name; `template`: but for what a template of the same name has by now.
   * False when it is another one by now, or instances of it are left.
   */
  forget(stored: StoredPreview, keepFor?: 'template'): Promise<boolean>;
  /** What names of images stand for, and what they stood for on these nodes. */
  forgetImages(images: readonly string[], nodes: readonly string[]): Promise<void>;
}

import type { SavedEvent } from './saved-events.ts';
import type { SavedKey } from './saved-state.ts';

export interface BackupContents {
  readonly deployment: string;
  readonly savedAtMs: number;
  readonly keys: readonly SavedKey[];
  readonly events: readonly SavedEvent[];
  /** Promoted ones, with the paths of their archives; metadata lies beside each. */
  readonly checkpoints: readonly { readonly id: string; readonly template: string; readonly archive: string }[];
}

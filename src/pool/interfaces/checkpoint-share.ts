export interface Transfer {
  /** Told now and then how many bytes are through. */
  readonly onBytes: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Where nodes leave archives of checkpoints for each other. Nobody trusts what lies in it: whoever fetches compares the
 * checksum. All methods throw checkpoint_share_unavailable.
 */
export interface CheckpointShare {
  /** For people. */
  readonly name: string;
  /** Ids of the archives that are in it whole, with their sizes in bytes. */
  list(): Promise<ReadonlyMap<string, number>>;
  /** In place of one that is there already. One that fails leaves nothing, as far as that can be had. */
  put(id: string, archive: string, transfer: Transfer): Promise<void>;
  /** Into a new file of its owner's alone. Throws unknown_checkpoint, checkpoint_damaged. */
  fetch(id: string, file: string, transfer: Transfer): Promise<void>;
  /** Absent is fine. */
  remove(id: string): Promise<void>;
  /** Removes what was cut short on its way in. Only for whoever has the turn to leave something. */
  tidy(): Promise<void>;
}

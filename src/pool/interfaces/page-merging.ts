/** The kernel's merging of pages of memory that hold the same, on this host. */
export interface PageMerging {
  /** Undefined where the kernel has none, or nobody here may see it. */
  read(): Promise<PageMergingState | undefined>;
  /**
   * Looks for such pages from now on, or no longer; what is merged stays so until it is written to. Throws where we may
   * not. Does nothing where the host has it look already, on its own terms.
   */
  look(wanted: boolean): Promise<void>;
}

export interface PageMergingState {
  /** How often all memory that may be merged was gone through. */
  readonly rounds: number;
  /** What would be needed more without it. */
  readonly savedBytes: number;
  /** Of the kernel's own thread for it, so far. */
  readonly processorMs: number;
}

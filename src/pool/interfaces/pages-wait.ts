/** Since when other pages of the proxy wait to be written. */
export interface PagesWait {
  /** Begins if it has not. Throws store_unavailable. */
  waitedMs(): Promise<number>;
  /** Nothing waits any more. Throws store_unavailable. */
  end(): Promise<void>;
}

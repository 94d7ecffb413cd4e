/** The images that the engine keeps on this host, whoever brought them. All methods throw engine_unavailable. */
export interface ImageStorage {
  list(): Promise<readonly StoredImage[]>;
  /**
   * With the names that it was listed with. False where the engine refuses, as when something has come to use it, and
   * where somebody has given it a name since. Absent is fine.
   */
  remove(image: Pick<StoredImage, 'id' | 'names'>): Promise<boolean>;
}

export interface StoredImage {
  readonly id: string;
  /** Without those that name a digest. */
  readonly names: readonly string[];
  /** As `repository@sha256:…`. */
  readonly digests: readonly string[];
  /** Whether any container was made of it, be it somebody else's. */
  readonly used: boolean;
}

/** What this deployment has fetched on this node. All methods throw store_unavailable. */
export interface PulledImages {
  read(): Promise<{ readonly images: readonly PulledImage[]; readonly pulls: readonly ImagePull[] }>;
  /** Before it begins; `present`: the ids of what was there. One of the same that nobody ended goes on. */
  begin(pull: Omit<ImagePull, 'atMs'>): Promise<void>;
  /** It led to this image, noted as fetched unless it was there before. Of one that is noted, the name is as well. */
  end(reference: string, id: string): Promise<void>;
  /** It led to nothing that is known. */
  giveUp(reference: string): Promise<void>;
  /** It is gone. */
  forget(image: PulledImage): Promise<void>;
}

export interface PulledImage {
  readonly id: string;
  /** Under which it was fetched, the first one first. */
  readonly names: readonly [string, ...string[]];
  readonly atMs: number;
}

/** One that began, and whose end nobody has said. */
export interface ImagePull {
  /** What was asked for: the name, or the same by its digest. */
  readonly reference: string;
  readonly name: string;
  readonly present: readonly string[];
  readonly atMs: number;
}

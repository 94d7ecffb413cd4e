import type { RememberedHarm } from '../../domain/harm.ts';

/** Who had visits ended for harm lately. It is kept by the steps that end visits, and ends by itself. */
export interface HarmMemory {
  /** The worst first. Throws store_unavailable. */
  list(): Promise<readonly RememberedHarm[]>;
  /** False when nothing was remembered of them. Throws store_unavailable. */
  forget(who: string): Promise<boolean>;
}

import type { CheckpointOffer } from '../../domain/checkpoint.ts';

/**
 * What nodes say of the archives that they left for each other. Kept with the state and not beside the archives: who
 * can only write there cannot have a node restore what it did not offer. All methods throw store_unavailable.
 */
export interface CheckpointOffers {
  /** By id. */
  list(): Promise<ReadonlyMap<string, CheckpointOffer>>;
  offer(offer: CheckpointOffer): Promise<void>;
  /** Absent is fine. */
  withdraw(id: string): Promise<void>;
}

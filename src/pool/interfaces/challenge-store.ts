/** What proofs of work need kept, over all servers. Both throw store_unavailable. */
export interface ChallengeStore {
  /** What challenges are signed with; drawn once. */
  secret(): Promise<string>;
  /** True the first time only, within this time. */
  spend(challenge: string, forMs: number): Promise<boolean>;
}

import type { NetworkRule, NetworkRuleKind } from '../../domain/network-rule.ts';

/** Those that have not ended, with the store's reading of the clock. */
export type StoredNetworkRules = { readonly nowMs: number } & Readonly<Record<NetworkRuleKind, readonly NetworkRule[]>>;

/** What operators decided about networks of clients; each rule ends by itself. All throw store_unavailable. */
export interface NetworkRules {
  list(): Promise<StoredNetworkRules>;
  /** In place of an earlier one for the same network. */
  put(
    kind: NetworkRuleKind,
    rule: Pick<NetworkRule, 'network' | 'reason' | 'held'> & { readonly forMs: number },
  ): Promise<NetworkRule>;
  /** False when there was none. */
  remove(kind: NetworkRuleKind, network: string): Promise<boolean>;
}

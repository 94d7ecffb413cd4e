import type { NetworkRule, NetworkRuleKind } from '../../domain/network-rule.ts';

/** Those that have not ended, with the store's reading of the clock. */
export type StoredNetworkRules = {
  readonly nowMs: number;
  /** The same as long as nothing was changed, but for what is written in place of a rule past this interface. */
  readonly state: string;
} & Readonly<Record<NetworkRuleKind, readonly NetworkRule[]>>;

/** What operators decided about networks of clients; each rule ends by itself. All throw store_unavailable. */
export interface NetworkRules {
  list(): Promise<StoredNetworkRules>;
  /** Undefined while their state is the one that is known. */
  unlessKnown(state: string): Promise<StoredNetworkRules | undefined>;
  /** In place of an earlier one for the same network. Undefined: there are as many of the kind as may be. */
  put(
    kind: NetworkRuleKind,
    rule: Pick<NetworkRule, 'network' | 'reason' | 'held'> & { readonly forMs: number },
  ): Promise<NetworkRule | undefined>;
  /** False when there was none. */
  remove(kind: NetworkRuleKind, network: string): Promise<boolean>;
}

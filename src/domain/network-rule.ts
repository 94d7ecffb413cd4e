import Type, { type Static } from 'typebox';

/** Raised when the stored shape changes; one of another version is left alone. */
const NETWORK_RULE_VERSION = 1;

/** Of each kind: all of them are read in one go, and by every server. */
export const MOST_NETWORK_RULES = 10_000;

/** `ban`: nothing is handed out to its clients. `allowance`: they may have more than others. */
export type NetworkRuleKind = 'ban' | 'allowance';

/** What an operator decided about a network of clients, until it ends. Times in ms, by the store's clock. */
export const NetworkRule = Type.Object({
  v: Type.Literal(NETWORK_RULE_VERSION),
  /** As `clientNetwork` has it. */
  network: Type.String(),
  sinceMs: Type.Integer({ minimum: 0 }),
  untilMs: Type.Integer({ minimum: 0 }),
  /** In the operator's words. */
  reason: Type.Optional(Type.String()),
  /** Of an allowance: how many each of its addresses, and all of a /48 of IPv6 together, may hold at once. */
  held: Type.Optional(Type.Integer({ minimum: 1 })),
});
export type NetworkRule = Static<typeof NetworkRule>;

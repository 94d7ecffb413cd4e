import { clientNetwork, membersOf, networkOf } from '../domain/client-network.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { RememberedHarm } from '../domain/harm.ts';
import { MOST_NETWORK_RULES, type NetworkRule, type NetworkRuleKind } from '../domain/network-rule.ts';
import type { Admission } from './admission.ts';
import type { Suspect } from '../domain/suspect.ts';
import type { ShareCounts } from './interfaces/share-counts.ts';
import type { Inventory } from './interfaces/inventory.ts';
import type { HarmMemory } from './interfaces/harm-memory.ts';
import type { NetworkRules } from './interfaces/network-rules.ts';
import { releaseInstance, type ReleaseDeps } from './release.ts';

export interface OperateNetworksDeps extends ReleaseDeps {
  readonly networkRules: NetworkRules;
  readonly harmMemory: HarmMemory;
  readonly shareCounts: Pick<ShareCounts, 'suspects'>;
  readonly admission: Pick<Admission, 'note' | 'drop'>;
  readonly inventory: Pick<Inventory, 'list'>;
}

/** What is to hold for a network from now on. */
export interface WantedRule {
  /** An address or a CIDR block. */
  readonly network: string;
  readonly forMs: number;
  readonly reason: string | undefined;
}

/** Those that have not ended, the one that ends first in front. Throws store_unavailable. */
export async function listNetworkRules(
  { networkRules }: OperateNetworksDeps,
  kind: NetworkRuleKind,
): Promise<readonly NetworkRule[]> {
  return [...(await networkRules.list())[kind]].sort((a, b) => a.untilMs - b.untilMs);
}

/** Who took an unusual share within a day, the newest first. Throws store_unavailable. */
export function listSuspects({ shareCounts }: OperateNetworksDeps): Promise<readonly Suspect[]> {
  return shareCounts.suspects();
}

/** Who had visits ended for harm lately, the worst first. Throws store_unavailable. */
export function listHarm({ harmMemory }: OperateNetworksDeps): Promise<readonly RememberedHarm[]> {
  return harmMemory.list();
}

/** An address, a network or the digest of a browser: from now on they are as anybody. Throws unknown_network. */
export async function forgiveHarm({ harmMemory }: OperateNetworksDeps, who: string): Promise<void> {
  if (!(await harmMemory.forget(networkOf(who.trim()))))
    throw new TryItNowError('unknown_network', `Of ${JSON.stringify(who.slice(0, 64))} no harm is remembered`);
}

/**
 * Nothing is handed out to it from now on; other servers know within seconds. `end`: what its clients hold ends as
 * well. Returns how many did. Throws invalid_request, network_rule_limit.
 */
export async function banNetwork(
  deps: OperateNetworksDeps,
  wanted: WantedRule,
  { end }: { readonly end: boolean },
): Promise<{ readonly rule: NetworkRule; readonly ended: number }> {
  const rule = await put(deps, 'ban', wanted, undefined);
  return { rule, ended: end ? await endAllOf(deps, rule.network) : 0 };
}

/**
 * Its clients may hold so many at once, and come as often as they like. Throws invalid_request, network_rule_limit.
 */
export async function allowNetwork(deps: OperateNetworksDeps, wanted: WantedRule, held: number): Promise<NetworkRule> {
  return put(deps, 'allowance', wanted, held);
}

/** Throws unknown_network, invalid_request. */
export async function removeNetworkRule(
  { networkRules, admission }: OperateNetworksDeps,
  kind: NetworkRuleKind,
  text: string,
): Promise<void> {
  const network = networkNamed(text);
  const existed = await networkRules.remove(kind, network);
  admission.drop(kind, network);
  if (!existed)
    throw new TryItNowError(
      'unknown_network',
      kind === 'ban' ? `${network} is not banned` : `There is no allowance for ${network}`,
    );
}

async function put(
  { networkRules, admission }: OperateNetworksDeps,
  kind: NetworkRuleKind,
  { network, forMs, reason }: WantedRule,
  held: number | undefined,
): Promise<NetworkRule> {
  const rule = await networkRules.put(kind, {
    network: networkNamed(network),
    forMs,
    ...(reason === undefined ? {} : { reason }),
    ...(held === undefined ? {} : { held }),
  });
  if (rule === undefined)
    throw new TryItNowError(
      'network_rule_limit',
      `There are ${MOST_NETWORK_RULES} ${kind === 'ban' ? 'bans' : 'allowances'}, as many as may be; ` +
        'one for a wider network does for many, and those that have ended make room within a minute',
    );
  admission.note(kind, rule);
  return rule;
}

async function endAllOf(deps: OperateNetworksDeps, network: string): Promise<number> {
  const isOfIt = membersOf(network);
  const theirs = (await deps.inventory.list()).filter(
    ({ state, client }) => state === 'assigned' && client !== undefined && isOfIt(client),
  );
  const ended = await Promise.all(
    theirs.map((instance) => releaseInstance(deps, instance, 'operator', { from: ['assigned'] })),
  );
  return ended.filter((instance) => instance !== undefined).length;
}

function networkNamed(text: string): string {
  const network = clientNetwork(text);
  if (network === undefined)
    throw new TryItNowError(
      'invalid_request',
      `The network is ${JSON.stringify(text.slice(0, 64))}; it must be an address or a CIDR block, such as ` +
        '203.0.113.7, 203.0.113.0/24 or 2001:db8:1::/48, and no wider than /8 (IPv6: /16)',
    );
  return network;
}

import { isLoopback, networkOf } from '../domain/client-network.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { NetworkRule, NetworkRuleKind } from '../domain/network-rule.ts';
import { NetworkTable } from '../domain/network-table.ts';
import { isBrowser } from '../domain/owner.ts';
import type { HeldLimits } from './interfaces/claim-store.ts';
import type { NetworkRules, StoredNetworkRules } from './interfaces/network-rules.ts';

/** How many instances may be held at once; 0: any number. */
export interface HeldSettings {
  readonly perClient: number;
  readonly perNetwork: number;
}

interface Caller {
  readonly clientKey: string;
  readonly owner: string;
  readonly trusted?: boolean;
}

/** What a caller may have. */
export interface Admitted {
  /** Undefined: any number. */
  readonly held: HeldLimits | undefined;
  /** `lifted`: an allowance says how many they may hold; how often is their affair. */
  readonly rates: 'counted' | 'lifted';
  /** They are known, or vouched for: nothing has to be proven. */
  readonly known: boolean;
}

/** A rule as it is remembered; its end by our own monotonic clock, whatever the store's says. */
interface KnownRule {
  readonly rule: NetworkRule;
  readonly endsAt: number;
}

type KnownRules = Readonly<Record<NetworkRuleKind, NetworkTable<KnownRule>>>;

/**
 * So often all are read whether anything seems to have changed or not: what ended goes, what somebody wrote into the
 * store by hand comes, and their ends go by its clock as it is now.
 */
const READ_AGAIN_MS = 60_000;

/**
 * Who is let in, and to how much. Rules for networks are remembered, so that no click waits for them; `refresh` has to
 * be called every few seconds. While the store is away, what was known last holds.
 */
export class Admission {
  readonly #held: HeldSettings;
  readonly #rules: Pick<NetworkRules, 'unlessKnown'> | undefined;
  readonly #now: () => number;
  readonly #known: KnownRules = { ban: new NetworkTable(), allowance: new NetworkTable() };
  /** Since the last look began: it may miss them. */
  #decided: (() => void)[] = [];
  #state = '';
  #readAt = -Infinity;

  constructor({
    held,
    rules,
    now = () => performance.now(),
  }: {
    readonly held: HeldSettings;
    /** Without them there are none. */
    readonly rules?: Pick<NetworkRules, 'unlessKnown'>;
    readonly now?: () => number;
  }) {
    this.#held = held;
    this.#rules = rules;
    this.#now = now;
  }

  /** Throws store_unavailable. */
  async refresh(): Promise<void> {
    this.#decided = [];
    if (this.#rules === undefined) return;
    const isRecent = this.#now() - this.#readAt < READ_AGAIN_MS;
    const stored = await this.#rules.unlessKnown(isRecent ? this.#state : '');
    if (stored === undefined) return;
    this.#readAt = this.#now();
    this.#state = stored.state;
    this.#take(stored, this.#readAt);
    for (const decide of this.#decided) decide();
  }

  /** A rule that was just stored: from now on it holds here. */
  note(kind: NetworkRuleKind, rule: NetworkRule): void {
    const endsAt = this.#now() + rule.untilMs - rule.sinceMs;
    this.#decide(() => this.#known[kind].set(rule.network, { rule, endsAt }));
  }

  /** A rule that was just taken back. */
  drop(kind: NetworkRuleKind, network: string): void {
    this.#decide(() => this.#known[kind].delete(network));
  }

  /** Who has an API key, and who is on this machine itself, may have any number. Throws banned. */
  admit({ clientKey, owner, trusted = false }: Caller): Admitted {
    this.requireNotBanned(clientKey);
    if (trusted || isLoopback(clientKey)) return { held: undefined, rates: 'counted', known: true };
    const { perClient, perNetwork } = this.#held;
    const allowed = this.#find('allowance', clientKey)?.rule.held ?? 0;
    const raised = (limit: number): number => (limit === 0 ? 0 : Math.max(limit, allowed));
    return {
      held: {
        network: networkOf(clientKey),
        perClient: raised(perClient),
        perNetwork: raised(perNetwork),
        perOwner: isBrowser(owner) ? perClient : 0,
      },
      rates: allowed > 0 ? 'lifted' : 'counted',
      known: allowed > 0,
    };
  }

  /** Whether who holds an instance may not keep it longer while others wait. */
  givesWay(clientKey: string | undefined, trusted: boolean): boolean {
    if (clientKey === undefined || trusted || isLoopback(clientKey)) return false;
    return this.#find('allowance', clientKey) === undefined;
  }

  /** Throws banned. */
  requireNotBanned(clientKey: string): void {
    const ban = this.#find('ban', clientKey);
    if (ban === undefined) return;
    const { network, untilMs, reason } = ban.rule;
    throw new TryItNowError(
      'banned',
      `nothing is handed out to ${network} until ${new Date(untilMs).toISOString()}` +
        (reason === undefined ? '' : `: ${reason}`),
      {
        retryAfterMs: ban.endsAt - this.#now(),
        details: {
          network,
          until: new Date(untilMs).toISOString(),
          ...(reason === undefined ? {} : { reason }),
        },
      },
    );
  }

  #decide(decide: () => void): void {
    decide();
    this.#decided.push(decide);
  }

  #take({ nowMs, ...stored }: StoredNetworkRules, now: number): void {
    for (const kind of ['ban', 'allowance'] as const) {
      const known = this.#known[kind];
      for (const rule of stored[kind]) known.set(rule.network, { rule, endsAt: now + rule.untilMs - nowMs });
      known.keepOnly(new Set(stored[kind].map(({ network }) => network)));
    }
  }

  /** The one that lasts longest, of those that hold for this client. */
  #find(kind: NetworkRuleKind, clientKey: string): KnownRule | undefined {
    const now = this.#now();
    let found: KnownRule | undefined;
    for (const known of this.#known[kind].around(clientKey))
      if (known.endsAt > now && (found === undefined || known.endsAt > found.endsAt)) found = known;
    return found;
  }
}

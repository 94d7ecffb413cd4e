import type { Redis as Valkey } from 'iovalkey';
import Value from 'typebox/value';
import { clientNetwork } from '../domain/client-network.ts';
import { MOST_NETWORK_RULES, NetworkRule, type NetworkRuleKind } from '../domain/network-rule.ts';
import type { Log } from '../domain/log.ts';
import type { NetworkRules, StoredNetworkRules } from '../pool/interfaces/network-rules.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';
import { PUT_NETWORK_RULE } from './script-codes.ts';
import type { Scripts } from './scripts.ts';

const REASON_LENGTH = 200;
/** A page: nobody's click waits for more of them than that. */
const SCAN_COUNT = 250;
const KEYS: Readonly<Record<NetworkRuleKind, string>> = { ban: keys.bans, allowance: keys.allowances };

/** Bans and allowances, a hash each. */
export class ValkeyNetworkRules implements NetworkRules {
  readonly #client: Valkey;
  readonly #scripts: Scripts;
  readonly #log: Log;
  /** Of the last answer: most of the next one is the same. */
  #parsed: ReadonlyMap<string, NetworkRule | undefined> = new Map();

  constructor(client: Valkey, scripts: Scripts, log: Log) {
    this.#client = client;
    this.#scripts = scripts;
    this.#log = log;
  }

  async list(): Promise<StoredNetworkRules> {
    return this.#read(await this.#state());
  }

  async unlessKnown(known: string): Promise<StoredNetworkRules | undefined> {
    const state = await this.#state();
    return state === known ? undefined : this.#read(state);
  }

  async put(kind: NetworkRuleKind, { network, reason, held, forMs }: Parameters<NetworkRules['put']>[1]) {
    const text = (await this.#scripts.run(
      'put-network-rule',
      [KEYS[kind], keys.networkRulePuts],
      [network, forMs, reason?.slice(0, REASON_LENGTH) ?? '', held ?? '', MOST_NETWORK_RULES],
    )) as string | typeof PUT_NETWORK_RULE.LIMIT;
    if (text === PUT_NETWORK_RULE.LIMIT) return undefined;
    const rule = this.#parse(text);
    if (rule === undefined) throw new Error('a rule that was just stored cannot be read');
    return rule;
  }

  async remove(kind: NetworkRuleKind, network: string): Promise<boolean> {
    try {
      return (await this.#client.hdel(KEYS[kind], network)) === 1;
    } catch (error) {
      throw storeError(error);
    }
  }

  /** Each rule that is stored raises the first, and each that goes lowers one of the others. */
  async #state(): Promise<string> {
    try {
      const [puts, bans, allowances] = await Promise.all([
        this.#client.get(keys.networkRulePuts),
        this.#client.hlen(KEYS.ban),
        this.#client.hlen(KEYS.allowance),
      ]);
      return `${puts ?? ''} ${bans} ${allowances}`;
    } catch (error) {
      throw storeError(error);
    }
  }

  /** What changes while it reads, the next look at the state tells. */
  async #read(state: string): Promise<StoredNetworkRules> {
    const parsed = new Map<string, NetworkRule | undefined>();
    const [bans, allowances] = [await this.#scan('ban', parsed), await this.#scan('allowance', parsed)];
    this.#parsed = parsed;
    return { nowMs: allowances.nowMs, state, ban: bans.rules, allowance: allowances.rules };
  }

  /** In pages, as one script of all of them would have every claim wait. */
  async #scan(
    kind: NetworkRuleKind,
    parsed: Map<string, NetworkRule | undefined>,
  ): Promise<{ readonly nowMs: number; readonly rules: readonly NetworkRule[] }> {
    // A scan may come by one of them twice.
    const rules = new Map<string, NetworkRule>();
    for (let cursor = '0'; ;) {
      const [nowMs, next, texts] = (await this.#scripts.run(
        'scan-network-rules',
        [KEYS[kind]],
        [cursor, SCAN_COUNT],
      )) as [number, string, readonly string[]];
      for (const text of texts) {
        const rule = this.#parse(text);
        parsed.set(text, rule);
        if (rule !== undefined) rules.set(rule.network, rule);
      }
      if (next === '0') return { nowMs, rules: [...rules.values()] };
      cursor = next;
    }
  }

  /** What is damaged or of another version is told to the log and left alone. */
  #parse(text: string): NetworkRule | undefined {
    if (this.#parsed.has(text)) return this.#parsed.get(text);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      value = undefined;
    }
    // One whose network nobody could match is as good as none.
    if (Value.Check(NetworkRule, value) && clientNetwork(value.network) === value.network) return value;
    this.#log.debug({ rule: text.slice(0, 200) }, 'Skipped a rule for a network that cannot be read');
    return undefined;
  }
}

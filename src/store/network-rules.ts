import type { Redis as Valkey } from 'iovalkey';
import Value from 'typebox/value';
import { clientNetwork } from '../domain/client-network.ts';
import { NetworkRule, type NetworkRuleKind } from '../domain/network-rule.ts';
import type { Log } from '../domain/log.ts';
import type { NetworkRules, StoredNetworkRules } from '../pool/interfaces/network-rules.ts';
import { storeError } from './client.ts';
import { keys } from './keys.ts';
import type { Scripts } from './scripts.ts';

const REASON_LENGTH = 200;
const KEYS: Readonly<Record<NetworkRuleKind, string>> = { ban: keys.bans, allowance: keys.allowances };

/** Bans and allowances, a hash each. */
export class ValkeyNetworkRules implements NetworkRules {
  readonly #client: Valkey;
  readonly #scripts: Scripts;
  readonly #log: Log;

  constructor(client: Valkey, scripts: Scripts, log: Log) {
    this.#client = client;
    this.#scripts = scripts;
    this.#log = log;
  }

  async list(): Promise<StoredNetworkRules> {
    const [nowMs, bans, allowances] = (await this.#scripts.run('network-rules', [KEYS.ban, KEYS.allowance], [])) as [
      number,
      readonly string[],
      readonly string[],
    ];
    return { nowMs, ban: this.#parsed(bans), allowance: this.#parsed(allowances) };
  }

  async put(kind: NetworkRuleKind, { network, reason, held, forMs }: Parameters<NetworkRules['put']>[1]) {
    const text = (await this.#scripts.run(
      'put-network-rule',
      [KEYS[kind]],
      [network, forMs, reason?.slice(0, REASON_LENGTH) ?? '', held ?? ''],
    )) as string;
    const [rule] = this.#parsed([text]);
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

  /** What is damaged or of another version is told to the log and left alone. */
  #parsed(texts: readonly string[]): NetworkRule[] {
    return texts.flatMap((text) => {
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        value = undefined;
      }
      // One whose network nobody could match is as good as none.
      if (Value.Check(NetworkRule, value) && clientNetwork(value.network) === value.network) return [value];
      this.#log.debug({ rule: text.slice(0, 200) }, 'Skipped a rule for a network that cannot be read');
      return [];
    });
  }
}

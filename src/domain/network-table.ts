import ipaddr from 'ipaddr.js';
import { addressOf, type Address } from './client-network.ts';

type Family = ReturnType<Address['kind']>;

interface Place {
  readonly family: Family;
  readonly prefix: number;
  readonly key: string;
}

interface Entry<T> {
  readonly place: Place;
  value: T;
}

/**
 * What is known of networks, found by the address of one of their clients: in as many steps as there are different
 * lengths of prefix, however many networks there are. Networks are as `clientNetwork` has them.
 */
export class NetworkTable<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #byPrefix: Readonly<Record<Family, Map<number, Map<string, Entry<T>>>>> = {
    ipv4: new Map(),
    ipv6: new Map(),
  };

  /** In place of what was known of the same network. */
  set(network: string, value: T): void {
    const known = this.#entries.get(network);
    if (known !== undefined) {
      known.value = value;
      return;
    }
    const place = placeOf(network);
    const entry = { place, value };
    this.#entries.set(network, entry);
    const ofFamily = this.#byPrefix[place.family];
    const ofPrefix = ofFamily.get(place.prefix);
    if (ofPrefix === undefined) ofFamily.set(place.prefix, new Map([[place.key, entry]]));
    else ofPrefix.set(place.key, entry);
  }

  delete(network: string): void {
    const entry = this.#entries.get(network);
    if (entry === undefined) return;
    this.#entries.delete(network);
    const { family, prefix, key } = entry.place;
    const ofPrefix = this.#byPrefix[family].get(prefix);
    ofPrefix?.delete(key);
    if (ofPrefix?.size === 0) this.#byPrefix[family].delete(prefix);
  }

  /** What is known of all others is forgotten. */
  keepOnly(networks: ReadonlySet<string>): void {
    for (const network of this.#entries.keys()) if (!networks.has(network)) this.delete(network);
  }

  /** Of all networks that the client is in; of none when it has no address. */
  around(clientKey: string): readonly T[] {
    if (this.#entries.size === 0) return [];
    const address = addressOf(clientKey);
    if (address === undefined) return [];
    const found: T[] = [];
    for (const [prefix, networks] of this.#byPrefix[address.kind()]) {
      const entry = networks.get(keyOf(address, prefix));
      if (entry !== undefined) found.push(entry.value);
    }
    return found;
  }
}

function placeOf(network: string): Place {
  const [address, prefix] = ipaddr.parseCIDR(network);
  return { family: address.kind(), prefix, key: keyOf(address, prefix) };
}

/** The same for all addresses of one network of this prefix. */
function keyOf(address: Address, prefix: number): string {
  const [parts, bits] = 'octets' in address ? [address.octets, 8] : [address.parts, 16];
  let key = '';
  for (let at = 0, left = prefix; left > 0; at += 1, left -= bits)
    key += `${(parts[at] ?? 0) >> Math.max(0, bits - left)}.`;
  return key;
}

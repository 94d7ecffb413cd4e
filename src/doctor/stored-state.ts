import type { Redis as Valkey } from 'iovalkey';
import { storeError } from '../store/client.ts';
import { parseHostnameEntry } from '../store/hostname-entries.ts';
import { keys } from '../store/keys.ts';
import type { PortState } from './tcp-ports.ts';

/** Throws store_unavailable. */
export async function readPorts(client: Valkey, node: string): Promise<PortState> {
  try {
    const [available, cooling, held] = await Promise.all([
      client.smembers(keys.availablePorts(node)),
      client.zrange(keys.coolingPorts(node), 0, -1),
      client.hkeys(keys.heldPorts(node)),
    ]);
    const numbers = (texts: readonly string[]): ReadonlySet<number> => new Set(texts.map(Number));
    return { available: numbers(available), cooling: numbers(cooling), held: numbers(held) };
  } catch (error) {
    throw storeError(error);
  }
}

/** Label → port. An entry that cannot be read is left out: the drift detection reports it. Throws store_unavailable. */
export async function readNames(client: Valkey): Promise<ReadonlyMap<string, number>> {
  const entries = await client.hgetall(keys.hostnames).catch((error: unknown) => {
    throw storeError(error);
  });
  return new Map(
    Object.entries(entries).flatMap(([label, text]): [string, number][] => {
      const entry = parseHostnameEntry(text);
      return entry === undefined ? [] : [[label, entry.port]];
    }),
  );
}

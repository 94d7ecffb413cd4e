import type { Redis as Valkey } from 'iovalkey';
import { storeError } from './client.ts';
import { keys } from './keys.ts';

/** Ports asked about in one command. */
const BATCH = 500;

/**
 * The ids of the instances that hold these ports, each `<node>:<port>`; the case of the node's name does not matter.
 * Throws store_unavailable.
 */
export async function portHolders(client: Valkey, places: ReadonlySet<string>): Promise<ReadonlySet<string>> {
  if (places.size === 0) return new Set();
  const ports = new Map<string, string[]>();
  for (const place of places) {
    const [node = '', port = ''] = place.toLowerCase().split(':');
    const others = ports.get(node);
    if (others === undefined) ports.set(node, [port]);
    else others.push(port);
  }
  try {
    const names = new Map((await client.hkeys(keys.nodes)).map((name) => [name.toLowerCase(), name]));
    const found: (string | null)[] = [];
    for (const [node, held] of ports) {
      const key = keys.heldPorts(names.get(node) ?? node);
      for (let at = 0; at < held.length; at += BATCH)
        found.push(...(await client.hmget(key, ...held.slice(at, at + BATCH))));
    }
    return new Set(found.filter((id) => id !== null));
  } catch (error) {
    throw storeError(error);
  }
}

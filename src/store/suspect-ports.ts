import type { Instance } from '../domain/instance.ts';

/** Of one node, as read one after another: what changed in between may seem wrong, and is looked at again. */
interface SeenPorts {
  readonly available: readonly string[];
  readonly cooling: readonly string[];
  /** Port → id of the instance that holds it. */
  readonly held: Readonly<Record<string, string>>;
  /** The node's records. */
  readonly seen: readonly Instance[];
}

/**
 * Ports of which something seems wrong: not in exactly one place, outside of the range, or held by another instance
 * than the one whose record names it. Of a node in order there are none, however many instances it holds.
 */
export function suspectPorts(
  { available, cooling, held, seen }: SeenPorts,
  range: { readonly start: number; readonly end: number },
): ReadonlySet<string> {
  const places = new Map<string, number>();
  const suspects = new Set<string>();
  for (const port of [...available, ...cooling, ...Object.keys(held)]) {
    const before = places.get(port) ?? 0;
    places.set(port, before + 1);
    if (before > 0) suspects.add(port);
  }
  for (let port = range.start; port <= range.end; port += 1) if (!places.has(String(port))) suspects.add(String(port));
  // What is held outside of a range that was moved stays held.
  for (const port of [...available, ...cooling])
    if (!(Number(port) >= range.start && Number(port) <= range.end)) suspects.add(port);
  const owners = new Map(seen.flatMap(({ id, port }) => (port === null ? [] : [[String(port), id] as const])));
  for (const [port, id] of Object.entries(held)) if (owners.get(port) !== id) suspects.add(port);
  for (const [port, id] of owners) if (held[port] !== id) suspects.add(port);
  return suspects;
}

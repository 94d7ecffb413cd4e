import type { Redis as Valkey } from 'iovalkey';
import type { NodeCounts } from '../pool/interfaces/inventory.ts';
import { heldAmong } from './held-among.ts';
import { keys } from './keys.ts';

/** Where an id stands tells its state, so that no record is read: that would cost by the number of instances. */
const INDEXES = {
  warming: keys.warming,
  ready: keys.ready,
  assigned: keys.assigned,
  leaving: keys.leaving,
} as const satisfies Record<keyof NodeCounts, (template: string) => string>;
const STATES = Object.keys(INDEXES) as (keyof NodeCounts)[];

/** What holds a port on each node, by state. One that changes its state meanwhile counts once, or not at all. */
export async function countByNode(
  client: Valkey,
  templates: readonly string[],
  nodes: readonly string[],
): Promise<ReadonlyMap<string, NodeCounts>> {
  const states = new Map<string, keyof NodeCounts>();
  await Promise.all(
    templates.flatMap((template) =>
      STATES.map(async (state) => {
        for (const id of await client.zrange(INDEXES[state](template), 0, -1)) states.set(id, state);
      }),
    ),
  );
  return new Map(
    await Promise.all(
      nodes.map(async (node) => {
        const counts = { warming: 0, ready: 0, assigned: 0, leaving: 0 };
        for (const id of await client.hvals(keys.heldPorts(node))) {
          const state = states.get(id);
          if (state !== undefined) counts[state] += 1;
        }
        return [node, counts] as const;
      }),
    ),
  );
}

/** Of what holds a port on the node, how much is being taken down, by template; 0 is left out. */
export async function leavingOn(
  client: Valkey,
  templates: readonly string[],
  node: string,
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const template of templates) {
    const ids = await heldAmong(client, keys.heldPorts(node), [keys.leaving(template)]);
    if (ids.length > 0) counts.set(template, ids.length);
  }
  return counts;
}

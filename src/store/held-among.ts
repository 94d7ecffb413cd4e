import type { Redis as Valkey } from 'iovalkey';

/**
 * The ids that hold a port, by the hash `held`, and are in any of these sorted sets. Costs by the smaller one of each
 * pair, and by the number of sets where they are empty.
 */
export async function heldAmong(client: Valkey, held: string, indexes: readonly string[]): Promise<string[]> {
  const sizes = await Promise.all(indexes.map((index) => client.zcard(index)));
  const filled = indexes.flatMap((index, at) => ((sizes[at] ?? 0) === 0 ? [] : [{ index, size: sizes[at] ?? 0 }]));
  if (filled.length === 0) return [];
  const ids = await client.hvals(held);
  if (ids.length === 0) return [];
  const known = new Set(ids);
  const found = await Promise.all(
    filled.map(async ({ index, size }) => {
      if (size <= ids.length) return (await client.zrange(index, 0, -1)).filter((id) => known.has(id));
      const scores = await client.zmscore(index, ...ids);
      return ids.filter((_, at) => scores[at] !== null);
    }),
  );
  return found.flat();
}

import type { Redis as Valkey } from 'iovalkey';
import { keys } from '../../src/store/keys.ts';

/** Everything Valkey holds, byte for byte, but for the signs of life of nodes and of whoever watches for use. */
export async function dumpOf(valkey: Valkey): Promise<ReadonlyMap<string, string>> {
  const ofWatchers: readonly string[] = [keys.useReporters, keys.useKnownSince];
  const all = await valkey.keys('*');
  const names = all.filter((name) => !ofWatchers.includes(name) && !name.startsWith(keys.heartbeat(''))).sort();
  const dumps = await Promise.all(names.map((name) => valkey.dumpBuffer(name)));
  return new Map(names.map((name, at) => [name, dumps[at]?.toString('hex') ?? '']));
}

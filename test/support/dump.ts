import type { Redis as Valkey } from 'iovalkey';

/** Everything Valkey holds, byte for byte. */
export async function dumpOf(valkey: Valkey): Promise<ReadonlyMap<string, string>> {
  const names = (await valkey.keys('*')).sort();
  const dumps = await Promise.all(names.map((name) => valkey.dumpBuffer(name)));
  return new Map(names.map((name, at) => [name, dumps[at]?.toString('hex') ?? '']));
}

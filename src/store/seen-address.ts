import type { Redis as Valkey } from 'iovalkey';
import { storeError } from './client.ts';

/** The IPv4 address that Valkey sees this connection come from. Throws store_unavailable. */
export async function seenAddress(client: Valkey): Promise<string> {
  const info = await client.client('INFO').catch((error: unknown) => {
    throw storeError(error);
  });
  return /(?:^| )addr=(?:::ffff:)?(\S+):\d+ /.exec(info)?.[1] ?? '';
}

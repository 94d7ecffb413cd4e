import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { TryItNowError } from '../../domain/errors.ts';

/** Of this process's own network namespace, whatever is mounted at /sys. */
const INTERFACES = '/proc/self/net/dev';

/** Whether a network's bridge is where this process's rules hold. */
export async function isBridgeHere(bridge: string): Promise<boolean> {
  const text = await readFile(INTERFACES, 'utf8');
  return text.split('\n').some((line) => line.trimStart().startsWith(`${bridge}:`));
}

/** The host's address on it; undefined while nothing is on it. */
export function bridgeAddress(bridge: string): string | undefined {
  return networkInterfaces()[bridge]?.find(({ family }) => family === 'IPv4')?.address;
}

export const ONE_NAMESPACE =
  "Run the server and the engine's service in one network namespace: no rootless engine, and none in a container or " +
  'a network namespace of its own';

/** Rules name a bridge by its interface: where that is elsewhere, nothing keeps what is on it apart. */
export function elsewhere(engine: string, bridge: string): string {
  return (
    `${engine} runs instances in another network namespace than this server: the interface ${bridge} of their ` +
    'network is not here, so no rule set here keeps them apart'
  );
}

export function notIsolated(engine: string, bridge: string): TryItNowError {
  return new TryItNowError('isolation_failed', `${elsewhere(engine, bridge)}. ${ONE_NAMESPACE}.`);
}

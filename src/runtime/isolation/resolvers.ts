import { readFile } from 'node:fs/promises';
import { isIPv4 } from 'node:net';

/** systemd-resolved keeps the servers behind its loopback stub in the second file. */
const RESOLV_CONFS = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'];

export function nameservers(resolvConf: string): string[] {
  return resolvConf
    .split('\n')
    .map((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? '')
    .filter((address) => isIPv4(address) && !address.startsWith('127.') && address !== '0.0.0.0');
}

/**
 * The name servers instances with egress may ask: the host's own, since a site may allow no others. A
 * server on the host's loopback cannot be reached from a container and is left out; none left means that
 * egress works by address only.
 */
export async function hostResolvers(files: readonly string[] = RESOLV_CONFS): Promise<string[]> {
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  return (
    texts
      .map((text) => nameservers(text))
      .find((found) => found.length > 0)
      ?.slice(0, 3) ?? []
  );
}

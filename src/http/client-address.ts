import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

const MAPPED = '::ffff:';
/** One IPv6 customer usually holds a whole /64 and can draw a new address for every request. */
const COUNTED_PREFIX_PARTS = 4;

/**
 * Whose rate limit an address counts against: IPv4 as it is (also when it comes mapped into IPv6), IPv6 cut to its /64.
 * A proxy's `address:port` is read without the port. Undefined for text that is no address.
 */
export function addressKey(address: string): string | undefined {
  if (isIPv4(address)) return address;
  if (address.startsWith(MAPPED) && isIPv4(address.slice(MAPPED.length))) return address.slice(MAPPED.length);
  if (isIPv6(address)) return ipv6Key(address);
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(address)?.[1] ?? /^([\d.]+):\d+$/.exec(address)?.[1];
  return bare === undefined ? undefined : addressKey(bare);
}

function ipv6Key(address: string): string {
  const parsed = ipaddr.IPv6.parse(address);
  if (parsed.isIPv4MappedAddress()) return parsed.toIPv4Address().toString();
  const parts = parsed.parts.map((part, index) => (index < COUNTED_PREFIX_PARTS ? part : 0));
  return `${new ipaddr.IPv6(parts).toString()}/64`;
}

/** True for the peers whose X-Forwarded-* headers are believed. */
export type TrustedProxies = (address: string) => boolean;

/** `entries` are addresses or CIDR blocks, IPv4 or IPv6. Throws on one that is neither. */
export function trustedProxies(entries: readonly string[]): TrustedProxies {
  const blocks = entries.map((entry): [ipaddr.IPv4 | ipaddr.IPv6, number] => {
    if (entry.includes('/')) return ipaddr.parseCIDR(entry);
    const single = ipaddr.process(entry);
    return [single, single.kind() === 'ipv4' ? 32 : 128];
  });
  return (address) => {
    if (!ipaddr.isValid(address)) return false;
    const candidate = ipaddr.process(address);
    return blocks.some((block) => block[0].kind() === candidate.kind() && candidate.match(block));
  };
}

import ipaddr from 'ipaddr.js';

export type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** A site or a customer of a hosting company usually holds a whole /48, with 65,536 networks of /64 in it. */
const SITE_PREFIX = 48;
/** What one client of IPv6 is known by. */
const CLIENT_PREFIX = 64;
/** Wider than any network that one party has: a rule for it would be one for everybody. */
const WIDEST = { ipv4: 8, ipv6: 16 };

/**
 * The network whose clients are counted together: of IPv6 the /48. Of IPv4 the address itself: a /24 is shared by
 * customers who have nothing to do with each other, and each of its addresses costs whoever would misuse it.
 */
export function networkOf(clientKey: string): string {
  const address = addressOf(clientKey);
  return address?.kind() === 'ipv6' ? cut(address, SITE_PREFIX) : clientKey;
}

/** On this machine itself: whoever is there may do more than use up a pool. */
export function isLoopback(clientKey: string): boolean {
  return clientKey.startsWith('127.') || clientKey === '::/64';
}

/**
 * An address or a CIDR block as clients are counted, `203.0.113.0/24` or `2001:db8:1:2::/64`: a single address of IPv6
 * stands for its /64. Undefined for what is neither, and for what is too wide to be meant.
 */
export function clientNetwork(text: string): string | undefined {
  const [written = '', prefix, ...rest] = text.trim().split('/');
  const isAddress = ipaddr.IPv4.isValidFourPartDecimal(written) || ipaddr.IPv6.isValid(written);
  if (rest.length > 0 || !isAddress) return undefined;
  const address = ipaddr.process(written);
  const bits = address.kind() === 'ipv4' ? 32 : CLIENT_PREFIX;
  if (prefix !== undefined && !/^\d{1,3}$/.test(prefix)) return undefined;
  // Of what was mapped into IPv6, the prefix was as well.
  const mapped = address.kind() === 'ipv4' && written.includes(':') ? 96 : 0;
  const wanted = prefix === undefined ? bits : Number(prefix) - mapped;
  if (wanted < WIDEST[address.kind()] || wanted > (bits === 32 ? 32 : 128)) return undefined;
  return cut(address, Math.min(wanted, bits));
}

/** Whether a client is in the network, which is as `clientNetwork` has it. */
export function membersOf(network: string): (clientKey: string) => boolean {
  const [range, prefix] = ipaddr.parseCIDR(network);
  return (clientKey) => {
    const address = addressOf(clientKey);
    return address !== undefined && address.kind() === range.kind() && address.match(range, prefix);
  };
}

/** Undefined for a client that is known by something else. */
export function addressOf(clientKey: string): Address | undefined {
  const [address = ''] = clientKey.split('/');
  return ipaddr.isValid(address) ? ipaddr.parse(address) : undefined;
}

/** By its parts: from text to text and back costs ten times as much, and each click asks for it. */
function cut(address: Address, prefix: number): string {
  const [parts, bits] = 'octets' in address ? [address.octets, 8] : [address.parts, 16];
  const first = parts.map((part, at) => part & (-1 << (bits - Math.min(bits, Math.max(0, prefix - at * bits)))));
  const network = bits === 8 ? new ipaddr.IPv4(first) : new ipaddr.IPv6(first);
  return `${network.toString()}/${prefix}`;
}

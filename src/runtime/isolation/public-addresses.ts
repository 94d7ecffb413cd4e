import { BlockList, isIPv4 } from 'node:net';

/**
 * Where egress never leads: this network, private and shared address space, loopback, link-local (cloud metadata
 * services live at 169.254.169.254), benchmarking, multicast and reserved. From the IANA special-purpose registry; the
 * documentation ranges are left out, they lead nowhere or into somebody's laboratory.
 */
export const NEVER_OUTSIDE = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/4',
  '240.0.0.0/4',
] as const;

const never = new BlockList();
for (const range of NEVER_OUTSIDE) {
  const [network = '', prefix] = range.split('/');
  never.addSubnet(network, Number(prefix));
}

/** Whether a name may lead there. Of IPv6 nothing may, whatever is inside it: instances do not have it. */
export function isOutside(address: string): boolean {
  return isIPv4(address) && !never.check(address);
}

import { isOutside } from '../runtime/isolation/public-addresses.ts';
import { NO_ENGINE } from '../runtime/no-engine.ts';
import type { Values } from './variables.ts';

/** Instances with egress reach public addresses, so a node's must be none; and nobody reaches another's loopback. */
export function nodeAddressProblems({
  NODE_ADDRESS: address,
  PROXY_ADDRESSES: proxies,
  CONTAINER_MODE: engine,
}: Values): string[] {
  if (isOutside(address))
    return [
      `NODE_ADDRESS is ${address}, a public address, where instances would be published for everybody; set it to ` +
        "this host's address on a private network (a cloud's own, or WireGuard)",
    ];
  // Without an engine there is nothing to let anybody in to: it is for the hosts that join.
  return proxies.length > 0 && engine !== NO_ENGINE.name && address.startsWith('127.')
    ? [
        `PROXY_ADDRESSES is set but NODE_ADDRESS is ${address}, which no other host reaches; set NODE_ADDRESS to ` +
          "this host's address on the network that the proxies are on",
      ]
    : [];
}

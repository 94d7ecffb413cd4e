import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { TryItNowError, describeError } from '../domain/errors.ts';
import { isOutside } from '../runtime/isolation/public-addresses.ts';

/** The port plays no part: nothing is sent. */
const ANY_PORT = 9;

/** The address with which this host reaches another one, as the kernel's routes say. Throws invalid_request. */
export async function addressTowards(host: string): Promise<string> {
  const socket = createSocket('udp4');
  try {
    socket.connect(ANY_PORT, host);
    await once(socket, 'connect');
    return socket.address().address;
  } catch (error) {
    throw new TryItNowError('invalid_request', `This host has no way to ${host} (${describeError(error)})`, {
      cause: error,
    });
  } finally {
    socket.close();
  }
}

export function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((addresses = []) =>
    addresses.filter(({ family }) => family === 'IPv4').map(({ address }) => address),
  );
}

/**
 * The address by which other hosts reach this one: the given one, or the only one that is no bridge's, which may be one
 * of containers. Throws invalid_request.
 */
export function chosenAddress(given: string | undefined): string {
  const found = privateAddresses();
  if (given !== undefined) {
    if (found.some(({ address }) => address === given)) return given;
    throw new TryItNowError(
      'invalid_request',
      `${given} is no private IPv4 address of this host (it has ${ownAddresses().join(', ')}); --address names the ` +
        'one on the network that only your hosts are on',
    );
  }
  const [first, ...others] = found.filter(({ isOnBridge }) => !isOnBridge).map(({ address }) => address);
  if (first !== undefined && others.length === 0) return first;
  const bridged = found.map(({ address }) => address).join(', ');
  const several =
    first === undefined
      ? `private addresses on bridges alone (${bridged})`
      : `several private addresses (${[first, ...others].join(', ')})`;
  throw new TryItNowError(
    'invalid_request',
    found.length === 0
      ? 'This host has no private IPv4 address; join the hosts by a private network first (the cloud’s, or WireGuard)'
      : `This host has ${several}; say with --address which one the other hosts reach`,
  );
}

function privateAddresses(): readonly { readonly address: string; readonly isOnBridge: boolean }[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    addresses
      .filter(({ family, internal, address }) => family === 'IPv4' && !internal && !isOutside(address))
      .map(({ address }) => ({ address, isOnBridge: existsSync(`/sys/class/net/${name}/bridge`) })),
  );
}

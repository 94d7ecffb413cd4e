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

/** Those on private networks that other hosts may be on: no bridge of containers. */
export function privateAddresses(): readonly string[] {
  return Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
    existsSync(`/sys/class/net/${name}/bridge`)
      ? []
      : addresses
          .filter(({ family, internal, address }) => family === 'IPv4' && !internal && !isOutside(address))
          .map(({ address }) => address),
  );
}

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface SlowLine extends AsyncDisposable {
  readonly port: number;
}

/**
 * A relay to a port of this host that is as far away as a round trip takes: what is sent arrives half a round trip
 * later, and a connection is up one round trip after it was begun.
 */
export async function startSlowLine(target: number, roundTripMs: number): Promise<SlowLine> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      socket.once('error', () => undefined);
    }
    const upAtMs = performance.now() + roundTripMs;
    carry(near, far, () => Math.max(upAtMs - performance.now(), 0) + roundTripMs / 2);
    carry(far, near, () => roundTripMs / 2);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
    },
  };
}

/** In the order in which it was sent. */
function carry(from: Socket, to: Socket, delayMs: () => number): void {
  let arrivesAtMs = 0;
  const later = (act: () => void): void => {
    arrivesAtMs = Math.max(arrivesAtMs, performance.now() + delayMs());
    setTimeout(act, arrivesAtMs - performance.now());
  };
  from.on('data', (chunk) => {
    later(() => {
      if (to.writable) to.write(chunk);
    });
  });
  from.once('close', () => {
    later(() => to.destroy());
  });
}

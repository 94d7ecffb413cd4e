import { connect, createServer } from 'node:net';

/** A port that nobody listens on right now. Drawn by the kernel; another program can still be quicker. */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('the kernel gave no port');
  return address.port;
}

/** The wanted port if it can be bound, else a free one. */
export async function preferPort(wanted: number, host = '127.0.0.1'): Promise<number> {
  return (await isFree(wanted, host)) ? wanted : freePort(host);
}

export async function isFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** True when something accepts TCP connections there. */
export async function answers(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host, timeout: 500 });
    socket.once('connect', () => { socket.destroy(); resolve(true); });
    for (const event of ['error', 'timeout'] as const) socket.once(event, () => { socket.destroy(); resolve(false); });
  });
}

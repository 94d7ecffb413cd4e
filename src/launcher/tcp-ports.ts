import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { TryItNowError } from '../domain/errors.ts';
import { takeMark } from './host-marks.ts';

/**
 * Below the ephemeral ports, so that no outgoing connection takes a port between the moment it is drawn and its use,
 * and clear of the ports that fetch refuses to ask (https://fetch.spec.whatwg.org/#port-blocking).
 */
const DRAW_FROM = 7_000;
const DRAW_BELOW = 10_000;
/** In there, what the program itself listens on unless it is told otherwise: it may be started later. */
const OURS_FROM = 8_000;
const OURS_BELOW = 8_100;

/**
 * A port that nobody listens on right now, neither on TCP nor on UDP. Until this process ends nobody else on this host
 * draws it, so whatever is started on it late or again finds it free. Throws port_taken when all are taken.
 */
export async function freePort(host = '127.0.0.1'): Promise<number> {
  for (let attempt = 0; attempt < DRAW_BELOW - DRAW_FROM; attempt += 1) {
    const port = randomInt(DRAW_FROM, DRAW_BELOW);
    if (!isForAnybody(port)) continue;
    const reservation = await reservePort(port);
    if (reservation === undefined) continue;
    if ((await isFree(port, host)) && (await isFreeForUdp(port, host))) return port;
    await reservation[Symbol.asyncDispose]();
  }
  throw new TryItNowError(
    'port_taken',
    `no port from ${DRAW_FROM} to ${DRAW_BELOW - 1} is free on ${host}; end some of the programs that listen there`,
  );
}

export function isForAnybody(port: number): boolean {
  return port < OURS_FROM || port >= OURS_BELOW;
}

/**
 * Keeps everybody on this host who asks here off the port, until it is disposed of or this process ends, however it
 * ends. Undefined when it is reserved already. Whether somebody listens there is not checked.
 */
export async function reservePort(port: number): Promise<AsyncDisposable | undefined> {
  return takeMark(`port-${port}`);
}

/** The wanted port if it can be bound and nobody else on this host was told so, else a free one; kept as that is. */
export async function preferPort(wanted: number, host = '127.0.0.1'): Promise<number> {
  const reservation = await reservePort(wanted);
  if (reservation === undefined) return freePort(host);
  if (await isFree(wanted, host)) return wanted;
  await reservation[Symbol.asyncDispose]();
  return freePort(host);
}

export async function isFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

export async function isFreeForUdp(port: number, host = '127.0.0.1'): Promise<boolean> {
  const socket = createSocket('udp4');
  return new Promise((resolve) => {
    socket.once('error', () => {
      socket.close();
      resolve(false);
    });
    socket.bind({ port, address: host, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}

/** True when something accepts TCP connections there. */
export async function answers(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host, timeout: 500 });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    for (const event of ['error', 'timeout'] as const)
      socket.once(event, () => {
        socket.destroy();
        resolve(false);
      });
  });
}

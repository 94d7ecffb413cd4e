import { connect } from 'node:net';
import type { Reaction } from '../../pool/interfaces/probe.ts';
import type { Upstream } from '../../pool/interfaces/upstream.ts';

/**
 * No server takes this for a request, so none hands it to the app in it: what runs answers with 400, as most do, or
 * closes, within milliseconds however slow the app is, and nothing is done in its name. The kernel accepts connections
 * for a stopped process as well, but does not react in its place.
 */
const GREETING = 'ALIVE? TRY-IT-NOW HTTP/?\r\n\r\n';
/** Of waiting. */
const STEP_MS = 50;
/** What the network says where nobody answers for the address. */
const HOST_IS_GONE: ReadonlySet<string | undefined> = new Set(['EHOSTUNREACH', 'EHOSTDOWN', 'ETIMEDOUT']);

/** What became of a connection and a greeting; `closes`: it was taken, and ended without a word. */
export function greet({ address, port }: Upstream, timeoutMs: number): Promise<Reaction | 'closes'> {
  return new Promise((resolve) => {
    let connected = false;
    const settle = (seen: Reaction | 'closes'): void => {
      clearInterval(timer);
      socket.destroy();
      resolve(seen);
    };
    // In steps, between which answers are read: time in which this process itself was busy hardly counts.
    let stepsLeft = Math.ceil(timeoutMs / STEP_MS);
    const timer = setInterval(() => {
      stepsLeft -= 1;
      if (stepsLeft <= 0) settle(connected ? 'silent' : 'unreachable');
    }, STEP_MS);
    const socket = connect({ host: address, port }, () => {
      connected = true;
      socket.write(GREETING);
    });
    socket.once('data', () => settle('reacts')).once('end', () => settle('closes'));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => {
      if (connected || code === 'ECONNRESET') settle('closes');
      else if (code === 'ECONNREFUSED') settle('refuses');
      else settle(HOST_IS_GONE.has(code) ? 'unreachable' : 'unknown');
    });
  });
}

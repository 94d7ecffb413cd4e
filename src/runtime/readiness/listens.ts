import { connect } from 'node:net';
import type { Upstream } from '../../pool/interfaces/upstream.ts';
import { findEngine } from '../engines.ts';

/**
 * A relay, such as Docker's (docker-proxy), accepts connections for a dead container as well, and closes each as soon
 * as it cannot pass it on: after 0.3 to 5 ms, tried on 20.10. A living app waits for the request instead.
 */
const RELAY_PATIENCE_MS = 20;

/**
 * Whether an app takes connections at its published port. `refuses` is certain; `silent` is anything that neither a
 * living nor a dead app has to answer for, such as a host that is too busy.
 */
export function listens(
  { address, port, engine }: Upstream,
  timeoutMs: number,
): Promise<'listens' | 'refuses' | 'silent'> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const settle = (seen: 'listens' | 'refuses' | 'silent'): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(seen);
    };
    let timer = setTimeout(() => settle('silent'), timeoutMs);
    // An engine that this version does not know may relay.
    const relayed = engine !== undefined && findEngine(engine)?.relaysPorts !== false;
    socket.once('error', ({ code }: NodeJS.ErrnoException) =>
      settle(code === 'ECONNREFUSED' || (relayed && code === 'ECONNRESET') ? 'refuses' : 'silent'),
    );
    socket.once('connect', () => {
      if (!relayed) {
        settle('listens');
        return;
      }
      clearTimeout(timer);
      timer = setTimeout(() => afterReads(() => settle('listens')), Math.min(RELAY_PATIENCE_MS, timeoutMs));
      // The end is only seen by who reads.
      socket.once('end', () => settle('refuses')).resume();
    });
  });
}

/** A busy process finds its timers due before it has read what came in time: an end may lie there unread. */
function afterReads(then: () => void): void {
  setImmediate(() => setImmediate(then));
}

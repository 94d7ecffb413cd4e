import { TimeoutError } from '@nats-io/transport-node';
import { withDeadline } from '../lifecycle/deadline.ts';

/**
 * What NATS answers within `limitMs`; throws the client's TimeoutError otherwise. The client's own limit ends with its
 * timer, also when the answer lies in the socket of a process that stood still, so `ask` gets one that comes later.
 */
export async function within<T>(limitMs: number, ask: (options: { timeout: number }) => Promise<T>): Promise<T> {
  return withDeadline(limitMs, ask({ timeout: 2 * limitMs }), () => {
    throw new TimeoutError();
  });
}

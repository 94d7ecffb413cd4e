import { connect } from 'node:net';
import type { Upstream } from '../../pool/interfaces/upstream.ts';
import { findEngine } from '../engines.ts';
import { listens } from './listens.ts';

/**
 * No server takes this for a request, so none hands it to the app in it: what runs answers with 400, as most do, or
 * closes, within milliseconds however slow the app is, and nothing is done in its name. The kernel accepts connections
 * for a stopped process as well, but does not react in its place.
 */
const GREETING = 'ALIVE? TRY-IT-NOW HTTP/?\r\n\r\n';
/** Of waiting. */
const STEP_MS = 50;

/**
 * Whether what listens at an app's published port reacts. `refuses` and `silent` are certain: nothing is there, or it
 * does not run. `unknown` is what neither a living nor a dead app has to answer for, such as a name without address.
 */
export async function reacts(
  upstream: Upstream,
  timeoutMs: number,
): Promise<'reacts' | 'refuses' | 'silent' | 'unknown'> {
  const seen = await greet(upstream, timeoutMs);
  if (seen !== 'closes') return seen;
  const { engine } = upstream;
  if (engine === undefined || findEngine(engine)?.relaysPorts === false) return 'reacts';
  // It may have been a relay, and an engine that this version does not know may have one.
  return (await listens(upstream, timeoutMs)) === 'refuses' ? 'refuses' : 'reacts';
}

function greet(
  { address, port }: Upstream,
  timeoutMs: number,
): Promise<'reacts' | 'closes' | 'refuses' | 'silent' | 'unknown'> {
  return new Promise((resolve) => {
    let connected = false;
    const settle = (seen: 'reacts' | 'closes' | 'refuses' | 'silent' | 'unknown'): void => {
      clearInterval(timer);
      socket.destroy();
      resolve(seen);
    };
    // In steps, between which answers are read: time in which this process itself was busy hardly counts.
    let stepsLeft = Math.ceil(timeoutMs / STEP_MS);
    const timer = setInterval(() => {
      stepsLeft -= 1;
      if (stepsLeft <= 0) settle('silent');
    }, STEP_MS);
    const socket = connect({ host: address, port }, () => {
      connected = true;
      socket.write(GREETING);
    });
    socket.once('data', () => settle('reacts')).once('end', () => settle('closes'));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => {
      if (connected || code === 'ECONNRESET') settle('closes');
      else settle(code === 'ECONNREFUSED' ? 'refuses' : 'unknown');
    });
  });
}

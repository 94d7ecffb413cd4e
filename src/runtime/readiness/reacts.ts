import type { Reaction } from '../../pool/interfaces/probe.ts';
import type { Upstream } from '../../pool/interfaces/upstream.ts';
import { findEngine } from '../engines.ts';
import { greet } from './greet.ts';
import { listens } from './listens.ts';

/**
 * Whether what listens at an app's published port reacts. `refuses` and `silent` are certain: nothing is there, or it
 * does not run. `unreachable`: the connection was not even refused, so that its host may be gone. `unknown` is what
 * neither a living nor a dead app has to answer for, such as a name without address.
 */
export async function reacts(upstream: Upstream, timeoutMs: number): Promise<Reaction> {
  const seen = await greet(upstream, timeoutMs);
  if (seen !== 'closes') return seen;
  const { engine } = upstream;
  if (engine === undefined || findEngine(engine)?.relaysPorts === false) return 'reacts';
  // It may have been a relay, and an engine that this version does not know may have one.
  return (await listens(upstream, timeoutMs)) === 'refuses' ? 'refuses' : 'reacts';
}

import { isLoopback, networkOf } from './client-network.ts';
import type { ReleaseReason } from './instance.ts';
import { isBrowser, visitorDigest } from './owner.ts';

/** Why visits end that kept others from what they need: of who had such ends, it is remembered for a while. */
const HARMFUL_REASONS: readonly ReleaseReason[] = [
  'disk_limit',
  'output_limit',
  'cpu_limit',
  'database_limit',
  'process_limit',
];

/** Takes what a record says. */
export function isHarmful(reason: string | null): boolean {
  return HARMFUL_REASONS.some((harmful) => harmful === reason);
}

/**
 * What somebody's harm is remembered under: where they come from, of IPv6 the /48, and their browser, by a digest that
 * opens nothing. Nothing of who is on this machine. Whether it matters is decided where they ask: with an API key or an
 * allowance it does not. `network` is their address's, for who has it at hand.
 */
export function harmNames(
  clientKey: string | undefined,
  owner: string | null,
  network = clientKey === undefined ? '' : networkOf(clientKey),
): readonly string[] {
  if (clientKey === undefined || isLoopback(clientKey)) return [];
  return owner !== null && isBrowser(owner) ? [network, visitorDigest(owner)] : [network];
}

/** What is remembered of one of them. Times in ms, by the store's clock. */
export interface RememberedHarm {
  /** An address, a /48 of IPv6, or the digest of a browser. */
  readonly who: string;
  /** How many visits ended for it. */
  readonly ends: number;
  /** Until then nothing is handed out to them; undefined: they are asked for a proof of work alone. */
  readonly pausedUntilMs: number | undefined;
  readonly forgottenAtMs: number;
}

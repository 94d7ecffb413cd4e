import { isLoopback } from './reachable-proxy.ts';

export interface ListenPlaces {
  /** Where other hosts are to reach the proxy. */
  readonly address: string;
  /** Where they did before, as far as that is known. */
  readonly before: string | undefined;
  /** All that this host has. */
  readonly own: readonly string[];
}

/**
 * PROXY_LISTEN with the address that other hosts reach. Without the one they reached before, where this host has it no
 * more: Caddy refuses all of its addresses for one that it cannot have.
 */
export function listenFor(listen: string, { address, before, own }: ListenPlaces): string {
  const kept = listen
    .split(',')
    .map((each) => each.trim())
    .filter((each) => hostOf(each) !== before || isLoopback(before) || before === address || own.includes(before));
  if (kept.some((each) => ['', '0.0.0.0'].includes(hostOf(each)))) return kept.join(',');
  const wanted = `${address}:${/\d+$/.exec(listen)?.[0] ?? ''}`;
  return [...kept, ...(kept.includes(wanted) ? [] : [wanted])].join(',');
}

function hostOf(place: string): string {
  return place.replace(/:\d+$/, '');
}

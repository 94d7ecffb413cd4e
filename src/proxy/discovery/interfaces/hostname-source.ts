/** What discovery needs of the state store, in its own terms. */
import type { VisitStep } from '../../../domain/visit-event.ts';

/** Where a host name lives. */
export interface HostnameEntry {
  readonly node: string;
  readonly port: number;
}

export interface HostnameChange {
  readonly label: string;
  /** Undefined: the name is gone. */
  readonly entry: HostnameEntry | undefined;
}

/** The hosts that instances are on. */
export interface KnownNodes {
  /** Node name → address or host name the proxy reaches it by. */
  readonly nodes: ReadonlyMap<string, string>;
  /** Those that the servers take for lost; a proxy may reach them all the same. */
  readonly lost: ReadonlySet<string>;
}

export type HostnameEvent =
  | (KnownNodes & {
      /** The whole truth at one moment; what was known before is void. */
      readonly kind: 'snapshot';
      readonly hostnames: ReadonlyMap<string, HostnameEntry>;
    })
  | { readonly kind: 'changes'; readonly changes: readonly HostnameChange[] }
  | (KnownNodes & { readonly kind: 'nodes' });

export interface HostnameSource {
  /**
   * A snapshot, then every change in order; another snapshot whenever changes may have been missed. Ends only by the
   * signal. Throws when the store is lost or silent: follow again, which begins with a new snapshot.
   */
  follow(signal: AbortSignal): AsyncIterable<HostnameEvent>;
  /** Asks the store itself. May take long or throw while the store is unavailable; the caller bounds it. */
  lookup(label: string): Promise<HostnameEntry | undefined>;
  close(): void;
}

/** How a question was answered; a bounded set, because it is a metric label. */
export const DNS_OUTCOMES = [
  'known',
  'looked_up',
  'node',
  'lost',
  'no_data',
  'unknown',
  'unsure',
  'refused',
  'malformed',
] as const;
export type DnsOutcome = (typeof DNS_OUTCOMES)[number];

export interface DiscoveryObserver {
  answered(outcome: DnsOutcome): void;
  /** What is asked for shows that a visit has come so far. */
  visitStep(template: string, site: string, step: VisitStep): void;
}

import type { PartName } from './outage-world.ts';

/** `killed`: by SIGKILL, and started again by its supervisor. `emptied`: it comes back without what it held. */
type OutageKind = 'stopped' | 'hung' | 'emptied' | 'killed';

/**
 * What those who are in an app already may notice. `cut`: nothing answers or connections break, and their app is back
 * after it. `lost`: their app ends.
 */
type AppEffect = 'nothing' | 'cut' | 'lost';

export interface Scenario {
  readonly part: PartName;
  readonly kind: OutageKind;
  /**
   * What asking for an instance may come to meanwhile: `ok`, or the code of a clear refusal with a Retry-After;
   * `unreachable` where the server itself is gone.
   */
  readonly acquirers: readonly string[];
  /** What at least somebody must have been told: an outage that nobody noticed was none. */
  readonly told?: string;
  readonly inApps: AppEffect;
  /** For the table. */
  readonly note?: string;
}

/** In the order in which they are staged. */
export const SCENARIOS: readonly Scenario[] = [
  { part: 'nats', kind: 'stopped', acquirers: ['ok'], inApps: 'nothing' },
  { part: 'nats', kind: 'hung', acquirers: ['ok'], inApps: 'nothing' },
  { part: 'nats', kind: 'emptied', acquirers: ['ok'], inApps: 'nothing' },
  {
    part: 'valkey',
    kind: 'stopped',
    acquirers: ['ok', 'store_unavailable'],
    told: 'store_unavailable',
    inApps: 'nothing',
  },
  {
    part: 'valkey',
    kind: 'hung',
    acquirers: ['ok', 'store_unavailable'],
    told: 'store_unavailable',
    inApps: 'nothing',
  },
  { part: 'caddy', kind: 'killed', acquirers: ['ok'], inApps: 'cut' },
  { part: 'caddy', kind: 'hung', acquirers: ['ok'], inApps: 'cut' },
  { part: 'podman', kind: 'stopped', acquirers: ['ok'], inApps: 'nothing' },
  { part: 'podman', kind: 'hung', acquirers: ['ok'], inApps: 'nothing' },
  { part: 'mariadb', kind: 'stopped', acquirers: ['ok'], inApps: 'nothing' },
  { part: 'mariadb', kind: 'hung', acquirers: ['ok'], inApps: 'nothing' },
  { part: 'discovery', kind: 'killed', acquirers: ['ok'], inApps: 'nothing' },
  { part: 'discovery', kind: 'hung', acquirers: ['ok'], inApps: 'cut' },
  { part: 'api', kind: 'killed', acquirers: ['ok', 'unreachable'], told: 'unreachable', inApps: 'nothing' },
  {
    part: 'api',
    kind: 'stopped',
    acquirers: ['ok', 'unreachable', 'shutting_down'],
    told: 'unreachable',
    inApps: 'nothing',
  },
  // What Valkey had answered when the server stood still is too old to be believed afterwards.
  { part: 'api', kind: 'hung', acquirers: ['ok', 'unreachable', 'hung', 'store_unavailable'], inApps: 'nothing' },
  {
    part: 'valkey',
    kind: 'emptied',
    acquirers: ['ok', 'store_unavailable', 'pool_empty'],
    told: 'store_unavailable',
    inApps: 'lost',
  },
];

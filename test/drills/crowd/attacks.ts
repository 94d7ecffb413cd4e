const MINUTE_MS = 60_000;

export interface Attack {
  readonly name: string;
  readonly template: 'tiny' | 'shop';
  /** How many do it at once. */
  readonly count: number;
  /** The program in the instance, as it is asked for; undefined for what a visitor does from outside. */
  readonly program?: string;
  /** Of connections through Caddy that are begun and never finished. */
  readonly hogs?: number;
  /** Why the product ends such a visit; undefined: it leaves it be, within its limits. */
  readonly ends?: string;
  /** They leave by themselves after so long. */
  readonly staysMs: number;
}

/** All that a visitor may try, 18 of them at once; two more burn the pool. */
export const ATTACKS: readonly Attack[] = [
  // Long enough to be throttled and ended, with the shipped times.
  {
    name: 'burner',
    template: 'tiny',
    count: 3,
    program: 'burn-processor?3600',
    ends: 'cpu_limit',
    staysMs: 25 * MINUTE_MS,
  },
  {
    name: 'disk filler, one file',
    template: 'tiny',
    count: 1,
    program: 'fill-disk?bytes+4096',
    ends: 'disk_limit',
    staysMs: 4 * MINUTE_MS,
  },
  {
    name: 'disk filler, empty files',
    template: 'tiny',
    count: 1,
    program: 'fill-disk?files+1000000',
    ends: 'disk_limit',
    staysMs: 4 * MINUTE_MS,
  },
  {
    name: 'disk filler, deleted file',
    template: 'shop',
    count: 1,
    program: 'fill-disk?deleted+4096',
    ends: 'disk_limit',
    staysMs: 4 * MINUTE_MS,
  },
  {
    name: 'fork bomb',
    template: 'tiny',
    count: 3,
    program: 'fork-bomb?3600',
    ends: 'process_limit',
    staysMs: 3 * MINUTE_MS,
  },
  { name: 'memory hoard', template: 'tiny', count: 1, program: 'memory-hoard?3600', staysMs: 3 * MINUTE_MS },
  {
    name: 'log flood',
    template: 'tiny',
    count: 2,
    program: 'flood-output?1000000000',
    ends: 'output_limit',
    staysMs: 4 * MINUTE_MS,
  },
  { name: 'connection hog at the proxy', template: 'tiny', count: 1, hogs: 400, staysMs: 3 * MINUTE_MS },
  {
    name: 'connection hoard at the database',
    template: 'shop',
    count: 1,
    program: 'connection-hoard?20000',
    ends: 'database_limit',
    staysMs: 4 * MINUTE_MS,
  },
  {
    name: 'database filler',
    template: 'shop',
    count: 1,
    program: 'database-abuse?tables',
    ends: 'database_limit',
    staysMs: 6 * MINUTE_MS,
  },
  {
    name: 'endless statements',
    template: 'shop',
    count: 1,
    program: 'database-abuse?statements',
    staysMs: 4 * MINUTE_MS,
  },
  { name: 'temporary tables', template: 'shop', count: 1, program: 'database-abuse?temporary', staysMs: 3 * MINUTE_MS },
  {
    name: 'prepared transactions',
    template: 'shop',
    count: 1,
    program: 'database-abuse?locks',
    staysMs: 2 * MINUTE_MS,
  },
];

/** Two who want all of the pool, from one address. */
export const POOL_BURNERS = 2;
/** What they are told, rightly. */
export const RIGHT_REFUSALS: readonly string[] = ['held_limit', 'challenge_required', 'hourly_limit', 'daily_limit'];

/** How many instances of a template should stand ready, where it says that the pool sizes itself. Pure. */
import Type, { type Static } from 'typebox';
import { clicksIn, isCrowd, spanOf, stockFor, type Bucket, type RefillPace } from './stock-for.ts';

/** So many ready at times that are known beforehand. */
export interface ScheduleEntry {
  /** When it begins, in cron's five fields. */
  readonly cron: string;
  /** The IANA name of the time zone that the fields are read in. */
  readonly zone: string;
  readonly forMs: number;
  readonly target: number;
}

export interface Autosize {
  readonly min: number;
  readonly max: number;
  /** The share of clicks (0..1) that should find one ready. */
  readonly cover: number;
  readonly schedule: readonly ScheduleEntry[];
}

/** So many are wanted from one time to another, whatever visitors do. */
export interface Wish {
  readonly kind: 'event' | 'schedule';
  /** For people: what says so. */
  readonly name: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly target: number;
}

export const SIZE_REASONS = ['recent', 'last_week', 'event', 'schedule', 'min', 'lowering'] as const;
export const SIZE_BOUNDS = ['max', 'memory'] as const;

/** Raised when the stored shape changes; one of another version counts as none. */
const POOL_SIZE_VERSION = 1;

const Count = Type.Integer({ minimum: 0 });
const Ms = Type.Number({ minimum: 0 });

/** What was decided last, and of what. */
export const PoolSize = Type.Object({
  v: Type.Literal(POOL_SIZE_VERSION),
  target: Count,
  /** What would do now, before a bound; a target above it is being lowered. */
  need: Count,
  reason: Type.Enum([...SIZE_REASONS]),
  /** What keeps the target below the need. */
  bound: Type.Optional(Type.Enum([...SIZE_BOUNDS])),
  /** The event or schedule entry. */
  wish: Type.Optional(Type.String()),
  atMs: Ms,
  /** Since when the need is lower, or when it was lowered last. */
  lowerSinceMs: Type.Optional(Ms),
  leadMs: Ms,
  intervalMs: Type.Optional(Ms),
  /** Of the last ten minutes. */
  clicksPerMinute: Ms,
  /** In half a minute, of the last ten. */
  mostClicks: Count,
  /** Of last week's same time: what it would take now. */
  lastWeek: Count,
});
export type PoolSize = Static<typeof PoolSize>;

export interface Evidence {
  readonly nowMs: number;
  /** Of the last ten minutes, the oldest first, the current one last. */
  readonly recent: readonly Bucket[];
  /** Of a week ago, from a little before this time to a while after it. */
  readonly lastWeek: readonly Bucket[];
  readonly pace: RefillPace;
  readonly wishes: readonly Wish[];
  /** As many may be ready or on their way as hosts have memory and room for. */
  readonly room: number;
}

/** What was never measured: of a slow start from cold. */
export const UNKNOWN_LEAD_MS = 30_000;
/** What of the past is looked at. */
export const RECENT_MS = 10 * 60_000;
/** A crowd that has just come counts by itself, however quiet it was before. */
const NEWEST_BUCKETS = 3;
/** Of last week: people are not punctual, and instances take their time. */
export const WEEK_BEFORE_MS = 5 * 60_000;
export const WEEK_AHEAD_MS = 15 * 60_000;
/** So long less has to do before the target goes down, and then a quarter of the way each minute. */
const HOLD_MS = 5 * 60_000;
const STEP_MS = 60_000;
const STEP_SHARE = 1 / 4;
const PREPARE_AT_LEAST_MS = 60_000;
const PREPARE_AT_MOST_MS = 15 * 60_000;

/** How long before its begin a wish has to be prepared. */
function preparationMs({ leadMs, intervalMs = leadMs / 2 }: RefillPace, target: number): number {
  return Math.min(PREPARE_AT_MOST_MS, Math.max(PREPARE_AT_LEAST_MS, leadMs + 1.5 * intervalMs * target));
}

/** Up at once, down in steps. */
export function decideSize(autosize: Autosize, previous: PoolSize | undefined, evidence: Evidence): PoolSize {
  const { nowMs, recent, pace, room } = evidence;
  const demand = demandOf(autosize, evidence);
  const wanted = demand.need;
  const within = Math.min(wanted, autosize.max);
  const need = Math.min(within, room);
  const lowered = previous === undefined ? undefined : lower(previous, Math.min(need, autosize.max), nowMs);
  const target = Math.min(lowered?.target ?? need, autosize.max, Math.max(need, room));
  const bound = need < within ? 'memory' : within < wanted ? 'max' : undefined;
  return {
    v: POOL_SIZE_VERSION,
    target,
    need: wanted,
    reason: target > need ? 'lowering' : demand.reason,
    ...(bound === undefined ? {} : { bound }),
    ...(demand.wish === undefined || target > need ? {} : { wish: demand.wish }),
    atMs: nowMs,
    ...(lowered === undefined ? {} : { lowerSinceMs: lowered.sinceMs }),
    leadMs: Math.round(pace.leadMs),
    ...(pace.intervalMs === undefined ? {} : { intervalMs: Math.round(pace.intervalMs) }),
    clicksPerMinute: Math.round((clicksIn(recent) / Math.max(1, spanOf(recent))) * 600_000) / 10,
    mostClicks: Math.max(0, ...recent.map((bucket) => bucket.clicks)),
    lastWeek: demand.lastWeek,
  };
}

interface Demand {
  readonly need: number;
  readonly reason: PoolSize['reason'];
  readonly wish: string | undefined;
  readonly lastWeek: number;
}

function demandOf({ min, max, cover }: Autosize, { nowMs, recent, lastWeek, pace, wishes }: Evidence): Demand {
  // One more than may be shows that the bound is what keeps it lower.
  const most = max + 1;
  const newest = recent.slice(-NEWEST_BUCKETS);
  const crowd = isCrowd(newest, recent.slice(0, -NEWEST_BUCKETS)) ? stockFor(newest, pace, cover, most) : 0;
  const now = Math.max(stockFor(recent, pace, cover, most), crowd);
  const before = stockFor(lastWeek, pace, cover, most);
  const due = wishes.filter(
    ({ fromMs, toMs, target }) => fromMs - preparationMs(pace, target) <= nowMs && nowMs < toMs,
  );
  const wish = due.reduce<Wish | undefined>(
    (best, candidate) => (best === undefined || candidate.target > best.target ? candidate : best),
    undefined,
  );
  const candidates = [
    { need: min, reason: 'min' as const, wish: undefined },
    { need: now, reason: 'recent' as const, wish: undefined },
    { need: before, reason: 'last_week' as const, wish: undefined },
    ...(wish === undefined ? [] : [{ need: wish.target, reason: wish.kind, wish: wish.name }]),
  ];
  const first = candidates.reduce((best, candidate) => (candidate.need > best.need ? candidate : best));
  return { ...first, lastWeek: before };
}

/** Undefined: what is needed is no less than before. */
function lower(
  { target, lowerSinceMs }: PoolSize,
  need: number,
  nowMs: number,
): { readonly target: number; readonly sinceMs: number } | undefined {
  if (need >= target) return undefined;
  const sinceMs = lowerSinceMs ?? nowMs;
  if (nowMs - sinceMs < HOLD_MS) return { target, sinceMs };
  // The next step is due after one more step's time.
  return {
    target: target - Math.max(1, Math.floor((target - need) * STEP_SHARE)),
    sinceMs: nowMs - HOLD_MS + STEP_MS,
  };
}

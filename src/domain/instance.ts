import Type, { type Static } from 'typebox';
import { FrameRefusalRecord } from './frame-refusal.ts';
import { HOST_LABEL_PATTERN, INSTANCE_ID_PATTERN } from './ids.ts';
import { INSTANCE_STATES } from './lifecycle.ts';

/** Raised when the stored shape changes; records of another version are skipped and counted, never guessed at. */
export const INSTANCE_RECORD_VERSION = 1;

const Millis = Type.Integer({ minimum: 0 });
const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** The provision saga's, in their order. */
const PROVISION_STEPS = [
  'recorded',
  'port_allocated',
  'database_created',
  'container_started',
  'answering',
  'activated',
  'named',
  'warmed_up',
] as const;
export type ProvisionStep = (typeof PROVISION_STEPS)[number];
/** The cleanup saga's, in their order; the name stops resolving on release, and after the last one the record goes. */
const CLEANUP_STEPS = ['container_gone', 'database_dropped', 'port_cooling'] as const;

/** One instance as it is stored. Times are milliseconds since the Unix epoch by the store's clock. */
export const InstanceRecord = Type.Object({
  v: Type.Literal(INSTANCE_RECORD_VERSION),
  id: Type.String({ pattern: INSTANCE_ID_PATTERN }),
  label: Type.String({ pattern: HOST_LABEL_PATTERN }),
  template: Type.String(),
  templateVersion: Type.String(),
  /** The host that holds the container; the container's name means nothing without it. */
  node: Type.String(),
  container: Type.String(),
  state: Type.Enum([...INSTANCE_STATES]),
  /** Raised by every change of state or deadline; what a compare-and-set compares. */
  generation: Type.Integer({ minimum: 0 }),
  /** Host port on the node's loopback; null before it is allocated and after it was given back. */
  port: Nullable(Type.Integer({ minimum: 1, maximum: 65535 })),
  /**
   * Name of its database and of the user of it, on the node's database server; null without one,
   * and after it was dropped.
   */
  database: Nullable(Type.String()),
  createdAtMs: Millis,
  readyAtMs: Nullable(Millis),
  assignedAtMs: Nullable(Millis),
  /** When the visitor's time is up; set while assigned. */
  deadlineMs: Nullable(Millis),
  /**
   * No instance lives past this: an extend is cut here, and an idle instance with less life left
   * than a visit is retired.
   */
  endOfLifeMs: Nullable(Millis),
  owner: Nullable(Type.String()),
  /** The client address that it was handed to, IPv6 cut to its /64; absent before that. */
  client: Type.Optional(Type.String()),
  /** Why it is releasing or quarantined. */
  reason: Nullable(Type.String()),
  /** The attempt at its provision that the record belongs to; no other may change it while it is warming. */
  attempt: Type.Optional(Type.String()),
  /** While warming: until when that attempt counts as alive without a further sign. */
  leaseUntilMs: Type.Optional(Millis),
  /** The last step that is done; the one after it may have been begun. */
  step: Type.Optional(Type.Enum([...PROVISION_STEPS, ...CLEANUP_STEPS])),
  /** Cleanups that failed. */
  failures: Type.Optional(Type.Integer({ minimum: 0 })),
  /** The embedding site that its visitor came from, as the funnel tells sites apart; absent: none. */
  site: Type.Optional(Type.String()),
  /** It was handed out in place of one that was dead, and counts against no limit. */
  replacement: Type.Optional(Type.Boolean()),
  /** How many events of its visit were written down. */
  events: Type.Optional(Type.Integer({ minimum: 0 })),
  /** Why its visitor gets it in a tab of its own, without our bar; absent: a frame shows it, as far as is known. */
  bare: Type.Optional(FrameRefusalRecord),
  /** Steps of the visit that happen once and have, `,first_page,` and so on. */
  noted: Type.Optional(Type.String()),
  /** When the first page was seen by the proxy. */
  firstPageMs: Type.Optional(Millis),
});
export type Instance = Static<typeof InstanceRecord>;

/** Why an instance leaves; a bounded set, because it is a metric label. */
export const RELEASE_REASONS = [
  'released',
  'expired',
  'unused',
  'disk_limit',
  'output_limit',
  'cpu_limit',
  'database_limit',
  'process_limit',
  'retired',
  'outdated',
  'surplus',
  'provision_failed',
  'container_lost',
  'unhealthy',
  'slow',
  'store_rolled_back',
  'unconfirmed',
  'drained',
  'node_drained',
  'node_lost',
  'operator',
  'abandoned',
  'shutdown',
] as const;
export type ReleaseReason = (typeof RELEASE_REASONS)[number];

/** Those that need no word for a visitor: wished for, as the clock showed, or of an instance that nobody visits. */
const UNEXPLAINED_REASONS = [
  'released',
  'expired',
  'retired',
  'outdated',
  'surplus',
  'provision_failed',
  'unhealthy',
  'slow',
  'store_rolled_back',
  'unconfirmed',
  'abandoned',
  'shutdown',
] as const satisfies readonly ReleaseReason[];

/** Of all others the visitor's page says more than that it has ended; a new one does not compile without a text. */
export type ExplainedReason = Exclude<ReleaseReason, (typeof UNEXPLAINED_REASONS)[number]>;

export const EXPLAINED_REASONS: readonly ExplainedReason[] = RELEASE_REASONS.filter(
  (reason): reason is ExplainedReason => !(UNEXPLAINED_REASONS as readonly ReleaseReason[]).includes(reason),
);

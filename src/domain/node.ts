import Type, { type Static } from 'typebox';
import { CheckpointArrival } from './checkpoint.ts';

/**
 * The first node keeps the plain names that operators know (`available_ports`, `cleanup-workers`); further nodes carry
 * theirs as a suffix.
 */
export const FIRST_NODE = 'node0';

/**
 * In place of a node's name where a server has no engine (CONTAINER_MODE=none): no host can be named so, and nothing is
 * recorded of it.
 */
export const NO_NODE = '-';

/** Raised when the stored shape changes; a heartbeat of another version is skipped, as one that did not come. */
export const HEARTBEAT_VERSION = 1;

const Count = Type.Integer({ minimum: 0 });
/** A reason is for people: longer ones are cut. */
const Text = Type.String({ maxLength: 300 });

/** What a node says of itself every few seconds. Bytes, and milliseconds since the epoch. */
export const Heartbeat = Type.Object({
  v: Type.Literal(HEARTBEAT_VERSION),
  address: Text,
  engine: Text,
  /** Of that engine; absent while it is not known. */
  engineVersion: Type.Optional(Text),
  /** The release of the host's kernel; absent where an older version of the program runs. */
  kernel: Type.Optional(Text),
  /** What its host is called, and which kernel runs there, since when; absent where an older version does not say. */
  host: Type.Optional(Text),
  boot: Type.Optional(Text),
  /** How many its process has sent: no two in a row are the same. Absent where an older version does not count. */
  sequence: Type.Optional(Count),
  /** The version of the program. */
  program: Text,
  labels: Type.Array(Text),
  /** IPv4 blocks that reach its instances beside itself; none: it keeps nobody from them. */
  proxies: Type.Optional(Type.Array(Text)),
  cpus: Count,
  /** Absent where its containers are not in this host's memory. */
  memory: Type.Optional(Type.Object({ total: Count, available: Count })),
  /** Of the disk that containers lie on; absent where it cannot be seen. */
  disk: Type.Optional(Type.Object({ total: Count, free: Count, low: Type.Boolean() })),
  ports: Count,
  /** The most instances that it may hold; absent: as many as it has ports. */
  capacity: Type.Optional(Count),
  /** The templates it offers, with why it cannot make an instance now; an empty reason: it can. */
  templates: Type.Record(Type.String(), Text),
  /** Ids of the checkpoints on its disk. */
  checkpoints: Type.Array(Text),
  /** How far it is with the promoted checkpoint of each template that has one. */
  arrivals: Type.Optional(Type.Record(Type.String(), CheckpointArrival)),
  /** Why it can be given no tasks now; absent: it can. */
  cutOff: Type.Optional(Text),
});
export type Heartbeat = Static<typeof Heartbeat>;

/** `cordoned`: gets no new instances. `draining`: and what is ready there is withdrawn, and visitors finish. */
export const NODE_MODES = ['active', 'cordoned', 'draining'] as const;
export type NodeMode = (typeof NODE_MODES)[number];

/** What an operator decided about a node. */
export interface NodeControl {
  readonly mode: NodeMode;
  readonly sinceMs: number | undefined;
  /** When a drain ends what is left there. */
  readonly deadlineMs: number | undefined;
  /** That time has come, by the store's clock. */
  readonly overdue: boolean;
}

/** A node as it is known right now. */
export interface FleetNode {
  readonly name: string;
  readonly address: string | undefined;
  /** Undefined: it is silent, or has never said anything. */
  readonly heartbeat: Heartbeat | undefined;
  readonly heartbeatAgeMs: number | undefined;
  /** For how long it has been taken for lost; undefined: it is not. */
  readonly lostForMs: number | undefined;
  /** How often it was taken for lost of late, each time within LOSS_REMEMBERED_MS of the one before. */
  readonly losses: number;
  readonly control: NodeControl;
  /** Instances that hold a port there. */
  readonly held: number;
  /** Tickets on their way there, without a port so far. */
  readonly placed: number;
  readonly freePorts: number;
}

/** A node sends one so often. */
export const HEARTBEAT_INTERVAL_MS = 3_000;
/** Without one for so long it is silent: what is ready there is withdrawn within 15 s of its last sign of life. */
export const HEARTBEAT_LIFE_MS = 12_000;
/** A node that is lost once more within this time is one that comes and goes. */
export const LOSS_REMEMBERED_MS = 10 * 60_000;

import Type, { type Static } from 'typebox';

/** Raised when the entry's shape changes; one of another version is skipped. */
export const RUNNING_PROCESS_VERSION = 1;

/** What a server or worker says of itself while it runs. */
export const RunningProcess = Type.Object({
  v: Type.Literal(RUNNING_PROCESS_VERSION),
  role: Type.Union([Type.Literal('server'), Type.Literal('worker')]),
  /** Of the program. */
  version: Type.String(),
  /** As its host calls itself. */
  host: Type.String(),
  pid: Type.Integer({ minimum: 0 }),
  node: Type.String(),
  startedAtMs: Type.Integer({ minimum: 0 }),
  /** Version of each template that it offers or makes instances of, by name. */
  templates: Type.Record(Type.String(), Type.String()),
  /** What it read them from. Of a version before this one: not said. */
  catalogue: Type.Optional(
    Type.Object({
      revision: Type.String(),
      sinceMs: Type.Integer({ minimum: 0 }),
      /** Requests to read it again that it has carried out, or refused. */
      reloads: Type.Integer({ minimum: 0 }),
      /** Why it refused the last one. */
      problem: Type.Optional(Type.String()),
    }),
  ),
  /** What operators began in it, the newest first; absent: nothing so far. It ends with the process. */
  jobs: Type.Optional(
    Type.Array(
      Type.Object({
        action: Type.String(),
        on: Type.String(),
        who: Type.String(),
        startedAtMs: Type.Integer({ minimum: 0 }),
        endedAtMs: Type.Optional(Type.Integer({ minimum: 0 })),
        state: Type.Enum(['running', 'done', 'failed']),
        said: Type.String(),
      }),
    ),
  ),
  /** When doctor ran last in it, and how many failures it found. */
  doctor: Type.Optional(Type.Object({ atMs: Type.Integer({ minimum: 0 }), failures: Type.Integer({ minimum: 0 }) })),
  /**
   * The proxy that it looks after, and digests of what it wants there: of all, and without what is only shown.
   * Absent: a worker, or an older version.
   */
  proxy: Type.Optional(
    Type.Object({ task: Type.String(), wants: Type.String(), routes: Type.Optional(Type.String()) }),
  ),
  /** Rights that watching and restoring instances takes, and that it does not have; absent: it has all. */
  lacks: Type.Optional(Type.Array(Type.String())),
  /** What it does for all others. */
  leads: Type.Array(Type.String()),
});
export type RunningProcess = Static<typeof RunningProcess>;

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
  /** What it does for all others. */
  leads: Type.Array(Type.String()),
});
export type RunningProcess = Static<typeof RunningProcess>;

/**
 * What goes over the socket of a simulated engine that is a process of its own: JSON over
 * HTTP, one request a connection.
 */
import Type from 'typebox';

export const START_BODY = Type.Object({
  owner: Type.Object({ deployment: Type.String(), node: Type.String() }),
  instanceId: Type.Optional(Type.String()),
  keepUntilMs: Type.Optional(Type.Integer()),
  template: Type.String(),
  /** Older versions do not say it, and mean loopback. An engine outlives its clients, also an upgrade of them. */
  address: Type.Optional(Type.String({ format: 'ipv4' })),
  hostPort: Type.Integer({ minimum: 1, maximum: 65_535 }),
  faults: Type.Optional(
    Type.Object({
      exitCode: Type.Optional(Type.Integer()),
      says: Type.Optional(Type.String()),
      status: Type.Optional(Type.Integer({ minimum: 200, maximum: 599 })),
      startUpMs: Type.Optional(Type.Number({ minimum: 0 })),
      everyMs: Type.Optional(Type.Number({ minimum: 0 })),
    }),
  ),
});

/** Also each line of the stream of events: one that has ended or disappeared. */
export const CONTAINER = Type.Object({
  name: Type.String(),
  instanceId: Type.Optional(Type.String()),
  keepUntilMs: Type.Optional(Type.Integer()),
  running: Type.Boolean(),
});
export const CONTAINERS = Type.Array(CONTAINER);
export const ANY_CONTAINERS = Type.Object({ any: Type.Boolean() });
export const EXEC_RESULT = Type.Object({ exitCode: Type.Integer(), output: Type.String() });
const CONDITION = Type.Union([
  Type.Object({ running: Type.Literal(true) }),
  Type.Object({ running: Type.Literal(false), exitCode: Type.Integer(), oomKilled: Type.Boolean() }),
]);
export const INSPECTION = Type.Object({ condition: Type.Optional(CONDITION) });
export const LOGS = Type.Object({ text: Type.String() });
/** With every status of 400 and above. */
export const REFUSAL = Type.Object({ message: Type.String() });

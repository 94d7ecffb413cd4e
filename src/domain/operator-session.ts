import Type, { type Static } from 'typebox';
import { OPERATOR_ROLES } from './operator-role.ts';

/** Raised when the stored shape changes; one of another version is nobody's. */
const OPERATOR_SESSION_VERSION = 1;

/** An operator who is logged in to the dashboard with a browser. Times in ms, by the store's clock. */
export const OperatorSession = Type.Object({
  v: Type.Literal(OPERATOR_SESSION_VERSION),
  /** As the audit log names them. */
  who: Type.String({ minLength: 1, maxLength: 600 }),
  /** At the log-in; what the key or the claim may as it is configured now counts. */
  role: Type.Enum([...OPERATOR_ROLES]),
  /** The address of the browser. */
  from: Type.String({ maxLength: 100 }),
  sinceMs: Type.Integer({ minimum: 0 }),
  untilMs: Type.Integer({ minimum: 0 }),
  /** Of a log-in by OpenID Connect: who vouched for them, and what of their claim a role is granted to. */
  vouched: Type.Optional(
    Type.Object({ issuer: Type.String({ maxLength: 500 }), values: Type.Array(Type.String({ maxLength: 300 })) }),
  ),
});
export type OperatorSession = Static<typeof OperatorSession>;

import Type from 'typebox';
import { POOL_MODES } from '../../pool/operator-ports.ts';

const Count = (description: string) => Type.Integer({ minimum: 0, description });
const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Time = (description: string) => Type.String({ format: 'date-time', description });
const MONTH_SECONDS = 30 * 24 * 3600;

/** Visitors see it, and terminals print it: no control characters. */
const Reason = Type.String({ minLength: 1, maxLength: 200, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$', description: 'Why, in words for visitors: the start page shows it.' });

export const TemplateParams = Type.Object({ template: Type.String({ description: 'Its name in the catalogue.' }) });
export const EmptyBody = Type.Object({}, { additionalProperties: false });
export const PauseBody = Type.Object({ reason: Type.Optional(Reason) }, { additionalProperties: false });
export const DrainBody = Type.Object({
  within_seconds: Type.Optional(Type.Integer({ minimum: 0, maximum: MONTH_SECONDS, description: 'Until what visitors hold is ended; without it, it runs out by itself.' })),
  reason: Type.Optional(Reason),
}, { additionalProperties: false });
export const TargetBody = Type.Object({
  target: Nullable(Type.Integer({ minimum: 0, maximum: 10_000, description: 'At most the capacity.' })),
}, { additionalProperties: false });

export const PoolBody = Type.Object({
  template: Type.String(),
  mode: Type.Enum([...POOL_MODES], { description: '`open`; `paused`: nothing is handed out; `draining`: and the stock goes.' }),
  since: Nullable(Time('When it was paused or drained.')),
  deadline: Nullable(Time('When what visitors still hold is ended.')),
  reason: Nullable(Type.String()),
  ready: Count('Warm and waiting for a visitor.'),
  assigned: Count('Held by a visitor; during a drain, how many are left.'),
  warming: Count('Being prepared.'),
  leaving: Count('Being taken down, or set aside because that keeps failing.'),
  target: Count('How many should be ready, as set by an operator or configured.'),
  configured_target: Count('How many the configuration asks for.'),
  capacity: Count('How many may exist at once, in whatever state.'),
  breaker: Type.Object({
    open: Type.Boolean({ description: 'Too many provisions failed in a row: one at a time is tried, after a pause.' }),
    failures: Count('In a row.'),
    retry_in_seconds: Count('Until the next try.'),
  }),
}, { description: 'The pool as it is now.' });

export const PoolsBody = Type.Object({ pools: Type.Array(PoolBody) }, { description: 'In the order of the catalogue.' });

import Type, { type Static } from 'typebox';

/** Raised when the stored shape changes; one of another version is skipped. */
export const POOL_EVENT_VERSION = 1;

/** A time for which an operator wants so many ready. */
export const PoolEvent = Type.Object({
  v: Type.Literal(POOL_EVENT_VERSION),
  fromMs: Type.Integer({ minimum: 0 }),
  toMs: Type.Integer({ minimum: 0 }),
  target: Type.Integer({ minimum: 0 }),
});
export type PoolEvent = Static<typeof PoolEvent>;

/** As operators name it. */
export interface NamedPoolEvent extends PoolEvent {
  readonly name: string;
}

import Type, { type Static } from 'typebox';
import { INSTANCE_ID_PATTERN } from './ids.ts';

/**
 * Raised when the queued shape changes. A task of another version is never guessed at: one of a later version is left
 * to workers that have it for a while, and then set aside as dead, as any other is at once.
 */
export const TASK_VERSION = 1;

const Id = Type.String({ pattern: INSTANCE_ID_PATTERN });

/** Build the instance that the ticket `id` was reserved for. */
export const ProvisionTask = Type.Object({
  v: Type.Literal(TASK_VERSION),
  kind: Type.Literal('provision'),
  id: Id,
  template: Type.String(),
  /** Which node is to build it; absent: the first, as in tasks of versions that shared one queue among nodes. */
  node: Type.Optional(Type.String()),
});
export type ProvisionTask = Static<typeof ProvisionTask>;

/** Take a releasing instance down on the node that holds its container. */
export const CleanupTask = Type.Object({
  v: Type.Literal(TASK_VERSION),
  kind: Type.Literal('cleanup'),
  id: Id,
  node: Type.String(),
});
export type CleanupTask = Static<typeof CleanupTask>;

export type Task = ProvisionTask | CleanupTask;

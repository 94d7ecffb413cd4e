/** From the one that may least: who may do more may do all that the ones before may. */
export const OPERATOR_ROLES = ['viewer', 'operator', 'admin'] as const;
export type OperatorRole = (typeof OPERATOR_ROLES)[number];

/**
 * Of a key that a program has, such as a build: it may put, see and remove previews, and nothing else. It is beside the
 * others, neither above nor below any, and nobody logs in with it.
 */
export const PREVIEWS_ROLE = 'previews';
export type KeyRole = OperatorRole | typeof PREVIEWS_ROLE;

/**
 * Everything that operators can change, and the least role that may: `operator` for what a day's work needs and what
 * comes back by itself, `admin` for what throws away more than one names.
 */
export const ACTION_ROLES = {
  'pool.pause': 'operator',
  'pool.drain': 'operator',
  'pool.resume': 'operator',
  'pool.scale': 'operator',
  'pool.event.add': 'operator',
  'pool.event.remove': 'operator',
  'templates.reload': 'operator',
  'preview.put': 'operator',
  'preview.remove': 'operator',
  'instance.release': 'operator',
  'queue.retry': 'operator',
  'queue.drop': 'operator',
  'queue.forget': 'operator',
  'queue.purge': 'admin',
  'node.cordon': 'operator',
  'node.drain': 'operator',
  'node.uncordon': 'operator',
  'node.remove': 'admin',
  'image.check': 'operator',
  'image.hold': 'operator',
  'image.release': 'operator',
  'image.rollback': 'operator',
  'webhooks.test': 'operator',
  'webhooks.replay': 'operator',
  'bans.add': 'operator',
  'bans.remove': 'operator',
  'allowances.add': 'operator',
  'allowances.remove': 'operator',
  'harm.forgive': 'operator',
  'sessions.end': 'admin',
  'checkpoint.create': 'operator',
  'checkpoint.verify': 'operator',
  'checkpoint.promote': 'operator',
  'checkpoint.rollback': 'operator',
  'checkpoint.prune': 'admin',
  'doctor.run': 'operator',
} as const satisfies Readonly<Record<string, OperatorRole>>;
export type OperatorAction = keyof typeof ACTION_ROLES;

/** Never with `previews`: the few routes that are for it say so themselves. */
export function mayAct(role: KeyRole, least: OperatorRole): boolean {
  return role !== PREVIEWS_ROLE && OPERATOR_ROLES.indexOf(role) >= OPERATOR_ROLES.indexOf(least);
}

/** What a log-in provider's word for somebody (a group, an e-mail address) lets them do. */
export interface RoleGrant {
  readonly role: OperatorRole;
  readonly value: string;
}

/** The highest role that any of these values is granted; undefined for none. */
export function grantedRole(values: readonly string[], grants: readonly RoleGrant[]): OperatorRole | undefined {
  return OPERATOR_ROLES.findLast((role) => grants.some((grant) => grant.role === role && values.includes(grant.value)));
}

/** A key that operators send, and what it lets them do. */
export interface OperatorKey {
  readonly key: string;
  readonly role: KeyRole;
  /** With the role `previews`: the template whose previews alone it is for; undefined: those of any. */
  readonly previewsOf?: string;
}

/** Those that a person acts with, from the one that may most; alike ones as they stand. */
export function keysOfPersons(keys: readonly OperatorKey[]): readonly OperatorKey[] {
  return OPERATOR_ROLES.toReversed().flatMap((role) => keys.filter((key) => key.role === role));
}

/** What the scripts in ./lua answer with, named once. Each script's header says when it answers which. */

/** First element of what claim.lua answers for each claim. */
export const CLAIM = {
  TAKEN: 0,
  SAME_AGAIN: 1,
  EMPTY: -1,
  HOURLY_LIMIT: -2,
  DAILY_LIMIT: -3,
  KEY_REUSED: -4,
  /** The store went back in time. */
  ROLLED_BACK: -5,
  /** It came to be carried out after its caller had stopped waiting. */
  TOO_LATE: -6,
  PAUSED: -7,
  /** The store failed in the middle of this one; the others that came with it were served. */
  FAILED: -8,
  HELD_LIMIT: -9,
  UNPROVEN: -10,
  HARM_LIMIT: -11,
} as const;

/** First element of the answer of extend.lua. */
export const EXTEND = { EXTENDED: 0, UNKNOWN: -1, NOT_ASSIGNED: -2, CONFLICT: -3, LIMIT: -4, OTHERS_WAIT: -5 } as const;

/** First element of the answer of begin-attempt.lua. */
export const BEGIN_ATTEMPT = { BEGUN: 0, NO_TICKET: 1, PAUSED: 2, UNDERWAY: 3, LEFT_OVER: 4 } as const;

/** What allocate-port.lua answers instead of a record. */
export const ALLOCATE_PORT = { SUPERSEDED: 0, NONE_FREE: -1, NONE_RECORDED: -2 } as const;

/** What the answer of look-for-due.lua is the sum of. */
export const DUE = { EXPIRED: 1, AGED: 2, OVERDUE: 4, DRAINED: 8 } as const;

/** What release.lua answers instead of a record. */
export const RELEASE = { UNCHANGED: 0 } as const;

/** First element of the answer of note-step.lua. */
export const NOTE_STEP = { NOTED: 1, UNCHANGED: 0, UNKNOWN: -1, NOWHERE: -2 } as const;

/** First element of the answer of put-preview.lua. */
export const PUT_PREVIEW = { PUT: 0, NAME_TAKEN: -1, OFFERED_LIMIT: -2, RECORDED_LIMIT: -3 } as const;

/** What put-network-rule.lua answers instead of the rule. */
export const PUT_NETWORK_RULE = { LIMIT: 0 } as const;

/** What rollback-checkpoint.lua answers instead of ids. */
export const ROLLBACK_CHECKPOINT = { NONE_PROMOTED: 0 } as const;

/**
 * Of cool-port.lua, database-dropped.lua and delete-record.lua: a step asked for before the one that has to come first.
 */
export const CLEANUP_STEP = { REFUSED: -1 } as const;

/** Of every script, or element of an answer, that says whether something was done or is so. */
export const FLAG = { NO: 0, YES: 1 } as const;

import Type, { type Static } from 'typebox';

/** Raised when the stored shape changes; one of another version is left alone. */
export const SUSPECT_VERSION = 1;

/** `network`: a /48 of IPv6. `visitor`: one browser. `site`: a page that embeds. */
export const SUSPECT_KINDS = ['address', 'network', 'visitor', 'site'] as const;
export type SuspectKind = (typeof SUSPECT_KINDS)[number];

/**
 * `share`: of what is handed out. `unopened`: taken, and ended without a page. `refused`: asks on, against a limit.
 * `harm`: visits were ended because they harmed others.
 */
export const SUSPICIONS = ['share', 'unopened', 'refused', 'harm'] as const;
export type Suspicion = (typeof SUSPICIONS)[number];

const Count = Type.Integer({ minimum: 0 });

/** Who takes an unusual share of the instances, as far as the last minutes show. Times in ms, by the server's clock. */
export const Suspect = Type.Object({
  v: Type.Literal(SUSPECT_VERSION),
  kind: Type.Enum([...SUSPECT_KINDS]),
  /** An address, a network or a host name; of a visitor, a digest that opens nothing. */
  who: Type.String({ minLength: 1, maxLength: 300 }),
  why: Type.Enum([...SUSPICIONS]),
  /** What a ban would be for; absent: nothing that can be banned. */
  network: Type.Optional(Type.String()),
  /** Within the minutes that were looked at. */
  taken: Count,
  takenByAll: Count,
  ended: Count,
  unopened: Count,
  refused: Count,
  /** Absent in what earlier versions wrote. */
  harmful: Type.Optional(Count),
  /** When it was found first, since it was quiet for an hour. */
  sinceMs: Count,
  lastMs: Count,
});
export type Suspect = Static<typeof Suspect>;

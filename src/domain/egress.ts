/** A place outside by its name. */
export interface Destination {
  /** In lower case, without a dot at the end. */
  readonly host: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
}

/** Where instances may open connections to; never to each other or to the host. Without it: nowhere. */
export interface Egress {
  /** To the ports that mail is handed in at, too. */
  readonly mail: boolean;
  /** Only there; undefined: anywhere. */
  readonly allow: readonly Destination[] | undefined;
}

/**
 * How look-ups of instances that reach named places alone end. `refused`: a name that is not allowed; `private`: one
 * that leads to no address outside.
 */
export const LOOKUP_OUTCOMES = ['answered', 'no_data', 'refused', 'private', 'unknown', 'failed', 'malformed'] as const;

export type LookupOutcome = (typeof LOOKUP_OUTCOMES)[number];

/** What `egress: true` says. */
export const EGRESS: Egress = { mail: false, allow: undefined };

/** As template versions have it since before there was more to say than yes and no. */
export function versionedEgress(egress: Egress | undefined): unknown {
  if (egress === undefined) return false;
  return egress.mail || egress.allow !== undefined ? egress : true;
}

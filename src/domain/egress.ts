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

/** What `egress: true` says. */
export const EGRESS: Egress = { mail: false, allow: undefined };

/** As template versions have it since before there was more to say than yes and no. */
export function versionedEgress(egress: Egress | undefined): unknown {
  if (egress === undefined) return false;
  return egress.mail || egress.allow !== undefined ? egress : true;
}

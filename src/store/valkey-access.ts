/** A host and a port of it. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** The contents of PEM files. */
export interface ValkeyTls {
  /** Whose certificates are trusted; undefined: whom Node trusts. */
  readonly ca?: string | undefined;
  /** Shown to a server that asks for one. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** Those who know which server is the primary. */
export interface SentinelAccess {
  /** Never empty. */
  readonly endpoints: readonly Endpoint[];
  /** What the Sentinels call the primary and its replicas. */
  readonly master: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
}

/** Where Valkey is and how one logs in; where there are Sentinels, `host` and `port` are the first one's. */
export interface ValkeyAccess extends Endpoint {
  readonly user?: string | undefined;
  readonly password: string | undefined;
  readonly sentinel?: SentinelAccess | undefined;
  /** Of servers and Sentinels alike; undefined: in clear text. */
  readonly tls?: ValkeyTls | undefined;
}

export function endpointText({ host, port }: Endpoint): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** As a message names it. */
export function accessText(access: ValkeyAccess): string {
  const { sentinel } = access;
  return sentinel === undefined
    ? endpointText(access)
    : `the primary of ${sentinel.master} (Sentinels ${sentinel.endpoints.map(endpointText).join(', ')})`;
}

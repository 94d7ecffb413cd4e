/** Where visitors reach instances: `http://<label>.<base domain>:<port>/`. */
export interface PublicAddress {
  readonly scheme: 'http' | 'https';
  readonly baseDomain: string;
  /** Undefined for the scheme's own port. */
  readonly port: number | undefined;
}

/**
 * What an app may take for its host's name inside its container, as regular expressions; the last are names of ours for
 * containers. With a port that apps have inside, they mean the app itself.
 */
export const INNER_NAMES: readonly string[] = [
  'localhost',
  '127(?:\\.[0-9]+){3}',
  '0\\.0\\.0\\.0',
  '\\[::1?\\]',
  'demo-[a-z0-9-]+',
];

/** Where browsers connect to ahead of a click. No instance can have this label: theirs have 20 characters. */
export const CONNECT_LABEL = 'connect';

export function hostname(address: PublicAddress, label: string): string {
  return `${label}.${address.baseDomain}`;
}

/** The host name of another instance than `label`'s that stands in a text; undefined where none does. */
export function foreignHostname(address: PublicAddress, label: string, text: string): string | undefined {
  for (const { 1: found = '', index } of text.matchAll(/(?<![a-z2-7])([a-z2-7]{20})\./g)) {
    const name = hostname(address, found);
    if (found !== label && text.startsWith(name, index)) return name;
  }
  return undefined;
}

/** `path`: where in the app, as a template's `open` has it. */
export function instanceUrl(address: PublicAddress, label: string, path = '/'): string {
  const { scheme, host } = publicOrigin(address, label);
  return `${scheme}://${host}${path}`;
}

/** What a visitor's request to an instance bears; the host with its port, as browsers send it. */
export interface PublicOrigin {
  readonly scheme: 'http' | 'https';
  readonly host: string;
}

export function publicOrigin(address: PublicAddress, label: string): PublicOrigin {
  const port = address.port === undefined ? '' : `:${address.port}`;
  return { scheme: address.scheme, host: `${hostname(address, label)}${port}` };
}

/** Undefined without TLS: there, a connection serves one name alone. */
export function connectUrl(address: PublicAddress): string | undefined {
  return address.scheme === 'https' ? instanceUrl(address, CONNECT_LABEL) : undefined;
}

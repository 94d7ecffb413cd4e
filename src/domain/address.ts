/** Where visitors reach instances: `http://<label>.<base domain>:<port>/`. */
export interface PublicAddress {
  readonly scheme: 'http' | 'https';
  readonly baseDomain: string;
  /** Undefined for the scheme's own port. */
  readonly port: number | undefined;
}

export function hostname(address: PublicAddress, label: string): string {
  return `${label}.${address.baseDomain}`;
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

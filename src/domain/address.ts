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

export function instanceUrl(address: PublicAddress, label: string): string {
  const port = address.port === undefined ? '' : `:${address.port}`;
  return `${address.scheme}://${hostname(address, label)}${port}/`;
}

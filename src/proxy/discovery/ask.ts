import { HOST_LABEL_PATTERN } from '../../domain/ids.ts';

const label = new RegExp(HOST_LABEL_PATTERN);

export interface AskOptions {
  readonly baseDomain: string;
  /** Without scheme and port. */
  readonly startPageHost: string;
  /**
   * Whether a label is an instance's; `lost`: it is, but its host is gone; `unsure`: memory does not hold it and the
   * store cannot be asked.
   */
  readonly isLive: (label: string) => Promise<Liveness>;
}

/** How the answer tells of it: its status is that of any other instance. */
export const LOST_HOST = { header: 'Instance-Host', value: 'lost' } as const;

export type Liveness = 'live' | 'lost' | 'unknown' | 'unsure';

/**
 * Whether a certificate may be had for a domain: for the start page and for instances that exist, and for nothing else,
 * or anybody could have us ask for certificates without end by connecting under made-up names.
 */
export async function mayHaveCertificate(
  domain: string,
  { baseDomain, startPageHost, isLive }: AskOptions,
): Promise<Liveness> {
  const name = domain.toLowerCase();
  if (name === startPageHost.toLowerCase()) return 'live';
  const [first = ''] = name.split('.', 1);
  return label.test(first) && name === `${first}.${baseDomain}` ? isLive(first) : 'unknown';
}

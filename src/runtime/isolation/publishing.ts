/** Where on this host instances are published, and who beside this host gets there. */
export interface Publishing {
  /** IPv4; every published port is on it alone. */
  readonly address: string;
  readonly ports: { readonly start: number; readonly end: number };
  /** IPv4 blocks as the kernel spells them, such as 10.0.0.7/32. */
  readonly proxies: readonly string[];
}

/** For a host that stands alone: nobody else gets there, without any rule. */
export const LOOPBACK: Publishing = { address: '127.0.0.1', ports: { start: 1, end: 65_535 }, proxies: [] };

function isLoopback({ address }: Publishing): boolean {
  return address.startsWith('127.');
}

/**
 * Matches what is sent to a published port, before the engine redirects it; undefined where only this host gets there
 * anyway. As `iptables -S` prints it.
 */
export function toPublished(publishing: Publishing): string | undefined {
  const { address, ports } = publishing;
  return isLoopback(publishing) ? undefined : `-d ${address}/32 -p tcp -m tcp --dport ${ports.start}:${ports.end}`;
}

/**
 * Decides about it there, so that it holds for what the engine redirects, for its relays and for a port whose
 * redirection is gone alike.
 */
export function admitted(publishing: Publishing): string[] {
  if (isLoopback(publishing)) return [];
  return [
    // Answers to this host's own requests, whose port may be one of these.
    '-m conntrack --ctstate ESTABLISHED -j RETURN',
    '-i lo -j RETURN',
    ...publishing.proxies.map((block) => `-s ${block} -j RETURN`),
    '-j DROP',
  ];
}

/** Lets proxies through to a bridge by a published port, and by nothing else: not by the instance's own address. */
export function throughPublished(publishing: Publishing, bridge: string): string[] {
  const { address, ports, proxies } = publishing;
  if (isLoopback(publishing)) return [];
  const by = `--ctorigdst ${address} --ctorigdstport ${ports.start}:${ports.end}`;
  return proxies.map((block) => `-s ${block} -o ${bridge} -p tcp -m conntrack --ctstate NEW ${by} -j RETURN`);
}

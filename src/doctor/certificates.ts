import { once } from 'node:events';
import { isIP } from 'node:net';
import { checkServerIdentity, connect, type PeerCertificate } from 'node:tls';
import { hostname, type PublicAddress } from '../domain/address.ts';
import { systemClock, type Clock } from '../domain/clock.ts';
import { describeError } from '../domain/errors.ts';
import { newHostLabel } from '../domain/ids.ts';
import { deadlineSignal } from '../lifecycle/deadline.ts';
import { failure, notChecked, ok, warning, type Check, type Observation } from './check.ts';

const TIMEOUT_MS = 4_000;
const HTTPS = 443;
const DAY_MS = 86_400_000;
/** What renews does so when a third of the time is left; half of that, and at most this, says that nothing does. */
const SOON = { ms: 14 * DAY_MS, share: 1 / 6 };
const REMEDY =
  'Renew it, and have what renews it run `deploy/caddy/apply.js --force` afterwards: Caddy shows the one it has read ' +
  'until then (docs/deployment.md).';

interface Site {
  /** What it is called here: an instance's own name is nobody's. */
  readonly title: string;
  readonly host: string;
  readonly port: number;
}

/** How long the certificates hold that browsers are shown at the start page and at instances; none without https. */
export function certificateChecks(
  { publicUrl, address }: { readonly publicUrl: string; readonly address: PublicAddress },
  clock: Clock = systemClock,
): Check[] {
  const { protocol, hostname: page, port } = new URL(publicUrl);
  const { scheme, baseDomain, port: instancePort = HTTPS } = address;
  const sites: Site[] = [
    ...(protocol === 'https:' ? [{ title: page, host: page.replace(/[[\]]/g, ''), port: Number(port || HTTPS) }] : []),
    ...(scheme === 'https'
      ? [{ title: `*.${baseDomain}`, host: hostname(address, newHostLabel()), port: instancePort }]
      : []),
  ];
  return sites.map((site) => ({
    part: 'Caddy',
    what: `certificate of ${site.title}`,
    run: async () => [await look(site, clock.now())],
  }));
}

async function look({ title, host, port }: Site, now: number): Promise<Observation> {
  const what = `certificate of ${title}`;
  let shown;
  try {
    shown = await certificateAt(host, port);
  } catch (error) {
    // It may be reached from elsewhere all the same, and on-demand TLS has none for a name without instance.
    return notChecked(what, `none is shown to this host at ${host}: ${describeError(error)}`);
  }
  // As a router shows one of its own to hosts behind it.
  const other = checkServerIdentity(host, shown);
  if (other !== undefined) return notChecked(what, `the one that this host is shown is for others: ${other.message}`);
  const [from, until] = [Date.parse(shown.valid_from), Date.parse(shown.valid_to)];
  const left = until - now;
  const seen = `${left < 0 ? 'ended' : 'ends'} on ${new Date(until).toISOString().slice(0, 16)}Z`;
  if (left < 0) return failure(what, `${seen}: browsers refuse the site`, REMEDY);
  return left < Math.min(SOON.ms, (until - from) * SOON.share)
    ? warning(what, `${seen}, and should have been renewed before`, REMEDY)
    : ok(what, seen);
}

async function certificateAt(host: string, port: number): Promise<PeerCertificate> {
  const socket = connect({
    ...{ host, port, rejectUnauthorized: false },
    ...(isIP(host) === 0 ? { servername: host } : {}),
  });
  try {
    await once(socket, 'secureConnect', { signal: deadlineSignal(TIMEOUT_MS) });
    return socket.getPeerCertificate();
  } finally {
    socket.destroy();
  }
}

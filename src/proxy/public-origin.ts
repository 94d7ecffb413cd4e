import { INNER_NAMES, type PublicAddress } from '../domain/address.ts';
import { HOST_LABEL_PATTERN } from '../domain/ids.ts';
import type { Json } from './json.ts';

/** Path, query and fragment. */
const REST = '([/?#].*)?$';
const HTTP_PORT = 80;

/**
 * What a front of ours, a visitor or anybody else may have put into a request, and an app may believe; it is not ours
 * to vouch for.
 */
const UNTRUSTED = ['Forwarded', 'X-Real-Ip', 'X-Forwarded-Prefix', 'X-Forwarded-Ssl', 'X-Forwarded-Server'];

/** `http://<label>.<base domain>:<port>`, with Caddy's placeholder for the label of the request. */
export function requestedOrigin(address: PublicAddress, labelFromRight: number): string {
  return publicOf(address, `{http.request.host.labels.${labelFromRight}}.${address.baseDomain}`);
}

function publicOf({ scheme, port }: PublicAddress, name: string): string {
  return `${scheme}://${name}${port === undefined ? '' : `:${port}`}`;
}

/**
 * The app learns the address that its visitors have in front of them, also behind something that ends TLS or that
 * drops the port from Host. Caddy itself adds X-Forwarded-For.
 */
export function requestHeaders(address: PublicAddress, origin: string): Json {
  const host = origin.slice(`${address.scheme}://`.length);
  return {
    set: {
      Host: [host],
      'X-Forwarded-Host': [host],
      'X-Forwarded-Port': [String(address.port ?? (address.scheme === 'https' ? 443 : 80))],
      'X-Forwarded-Proto': [address.scheme],
    },
    delete: UNTRUSTED,
  };
}

/**
 * Apps that make absolute addresses of what they know themselves send visitors to a port, a scheme or a host that
 * exists only inside. Whatever names an instance has our public scheme and port; this host's own names, with a port
 * that apps have inside, mean the instance itself. All else is another site, and stays.
 */
export function locationReplacements(address: PublicAddress, origin: string, innerPorts: readonly number[]): Json[] {
  const label = HOST_LABEL_PATTERN.replace(/^\^|\$$/g, '');
  const name = `(${label}\\.${address.baseDomain.replaceAll('.', '\\.')})`;
  const ports = [...new Set(innerPorts)].sort((a, b) => a - b);
  // A port that goes without saying may be said or not.
  const port = `:(?:${ports.join('|')})`;
  const inner = ports.includes(HTTP_PORT) ? `(?:${port})?` : port;
  return [
    { search_regexp: `^(?i:(?:https?:)?//${name}\\.?(?::[0-9]*)?)${REST}`, replace: `${publicOf(address, '$1')}$2` },
    ...(ports.length === 0
      ? []
      : [
          {
            search_regexp: `^(?i:(?:https?:)?//(?:${INNER_NAMES.join('|')})${inner})${REST}`,
            replace: `${origin}$1`,
          },
        ]),
  ];
}

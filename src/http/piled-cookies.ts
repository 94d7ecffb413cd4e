import type { IncomingHttpHeaders } from 'node:http';

/** A browser's other headers and the longest address we take fit beside it: where so much is cookies, it is they. */
const PILED_BYTES = 12 * 1_024;
/** What a browser may keep. */
const KEPT_BYTES = 2 * 1_024;
/** Of the answer's lines together. Chromium reads 256 KiB of an answer's head, and counts 32 bytes more for a line. */
const MOST_BYTES = 96 * 1_024;
/** A cookie's path is one of the address's own folders, or a browser would not have sent it. */
const MOST_FOLDERS = 12;
/** Browsers take no longer attribute. */
const LONGEST_PATH = 1_024;

/**
 * The Set-Cookie lines that have a browser delete the longest of its cookies, where they alone make a request too
 * large: an instance may set them for the domain above, for any path, and unseen by scripts. Empty where something else
 * is too large: any page of another site can have a browser ask for a long address, which is to cost nobody a login.
 * Who set a cookie, for which domain and path, no request says, so each that is possible has a line. Where that is too
 * much for one answer, the next one goes on; `random` (0 to 1) has another part of the lines come first each time.
 */
export function expirePiledCookies(
  url: string,
  headers: IncomingHttpHeaders,
  random: () => number = Math.random,
): readonly string[] {
  const { cookie = '', host = '' } = headers;
  if (cookie.length <= PILED_BYTES) return [];
  const attributes = domainsOf(host).flatMap((domain) =>
    pathsOf(url).flatMap((path) => kindsOf(headers).map((kind) => `; Max-Age=0${path}${domain}; HttpOnly${kind}`)),
  );
  const first = Math.floor(random() * attributes.length);
  const ordered = [...attributes.slice(first), ...attributes.slice(0, first)];
  const lines: string[] = [];
  let bytes = 0;
  for (const name of longest(cookie))
    for (const rest of ordered) {
      // Without a name it needs a value.
      const line = `${name}=${name === '' ? 'x' : ''}${rest}`;
      bytes += line.length;
      if (bytes > MOST_BYTES) return lines;
      lines.push(line);
    }
  return lines;
}

/** The names to delete. One without a name is sent as its value alone, which may look like any other. */
function longest(cookie: string): ReadonlySet<string> {
  const names = new Set(['']);
  let left = cookie.length;
  for (const pair of cookie.split('; ').toSorted((a, b) => b.length - a.length)) {
    if (left <= KEPT_BYTES) break;
    left -= pair.length + 2;
    const name = /^[^=]*(?==)/.exec(pair)?.[0] ?? '';
    // No other host can set one of these: it is our own.
    if (/^__host-/i.test(name)) continue;
    // What no header may have.
    if (/[^\t\x20-\x7E\x80-\xFF]/.test(name)) continue;
    names.add(name);
  }
  return names;
}

/** Those above first, which instances have in common with us. */
function domainsOf(host: string): readonly string[] {
  const name = host.replace(/:\d+$/, '');
  if (!/^[\w.-]+$/.test(name) || /^[\d.]+$/.test(name)) return [''];
  const labels = name.split('.');
  const domains = labels.map((_, at) => labels.slice(at).join('.'));
  return [...domains.filter((domain, at) => at === 0 || domain.includes('.')).toReversed(), undefined].map((domain) =>
    domain === undefined ? '' : `; Domain=${domain}`,
  );
}

function pathsOf(url: string): readonly string[] {
  const path = /^\/[^?#]*/.exec(url)?.[0] ?? '/';
  const folders = [...path.matchAll(/\//g)].slice(0, MOST_FOLDERS).map(({ index }) => index);
  const paths = new Set(['/', ...folders.flatMap((at) => [path.slice(0, at), path.slice(0, at + 1)]), path]);
  return [...paths]
    .filter((each) => each.length <= LONGEST_PATH && /^\/[\x21-\x3A\x3C-\x7E]*$/.test(each))
    .map((each) => `; Path=${each}`);
}

/** A frame in a page of another site may set no others, and one that is kept for that site alone is another cookie. */
function kindsOf(headers: IncomingHttpHeaders): readonly string[] {
  // Browsers send the second only where they take `Secure`.
  const secure = headers['x-forwarded-proto']?.toString().startsWith('https') || 'sec-fetch-site' in headers;
  return secure ? ['; Secure; SameSite=None', '; Secure; SameSite=None; Partitioned'] : [''];
}

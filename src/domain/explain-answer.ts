/** What is wrong with an app that is reached, by what it answers. */
import { isLoopback, type FailureFacts, type LastSeen } from './failure-facts.ts';
import type { AppCheck, StatusRange } from './readiness.ts';

/** What happened, and which change of the template gets past it. */
export interface Reached {
  readonly reason: string;
  readonly remedy: string;
}

type Facts = Pick<FailureFacts, 'template' | 'seen'>;
type Answered = LastSeen & { readonly kind: 'answered' };

/** What is below 400, as `readiness.http.status` says it. */
const BELOW_400: StatusRange = { from: 200, to: 399 };

export function answersOtherwise({ template, seen }: Facts): Reached | undefined {
  if (seen?.kind !== 'answered') return undefined;
  const { status, path, host, from } = seen;
  const led = from === undefined ? '' : `${from} leads to ${path}, and `;
  return {
    reason: `${led}it answers ${path} with status ${status} to Host ${host}`,
    remedy: remedyFor(template, seen),
  };
}

function remedyFor(template: Facts['template'], seen: Answered): string {
  const { status, path, from = path } = seen;
  const ofCheck = isOfCheck(template, seen);
  switch (status) {
    case 401:
      return `If visitors are to sign in, set ${allowing(template, seen)}; otherwise let ${path} in without`;
    case 400:
    case 403:
    case 421:
      return nameRefused(template, seen);
    case 404:
    case 405:
    case 410:
      return `Name a page that there is: ${elsewhere(template, from, ofCheck)}`;
    default:
      if (status >= 500) return 'The app itself fails; see the end of its output';
      return (
        `If that is as it should be, set ${allowing(template, seen)}; otherwise name another page: ` +
        elsewhere(template, from, ofCheck)
      );
  }
}

/** Visitors come by the public name: another Host helps the check, and no page that is opened as they do. */
function nameRefused(template: Facts['template'], seen: Answered): string {
  const { readiness } = template;
  const { path, from = path } = seen;
  const publicName = 'Have the app take its public name, by which visitors come (its list of allowed hosts or origins)';
  const orSo = seen.status === 403 ? `. If visitors are to get this, set ${allowing(template, seen)}` : '';
  if (readiness.kind !== 'http' || !isOfCheck(template, seen))
    return `${publicName}, or name another page: ${keysOf(template, from)}${orSo}`;
  if (readiness.host !== undefined)
    return `Name a host in readiness that the app takes in place of ${readiness.host}, or leave it out${orSo}`;
  if (isPage(template, from)) return `${publicName}${orSo}`;
  const sent = literal({ ...readiness, host: 'localhost' });
  return `${publicName}, name another path: ${checkedAt(template)}, or the Host that this one takes: ${sent}${orSo}`;
}

/** Whether it answered the check of the template. Otherwise it was a page as visitors open it, once it was ready. */
function isOfCheck({ readiness }: Facts['template'], { path, from = path, host }: Answered): boolean {
  if (readiness.kind !== 'http' || (readiness.host !== undefined && readiness.host !== host)) return false;
  return asAsked(readiness.path) === from;
}

/** Whether it is asked for as visitors ask, too. */
function isPage({ readiness, open, warmup }: Facts['template'], asked: string): boolean {
  const least = readiness.kind === 'http' ? readiness.path : '/';
  return [open, ...(warmup.length > 0 ? warmup : [least])].some((page) => asAsked(page) === asked);
}

/** The keys that have the page opened. */
function keysOf({ open, warmup }: Facts['template'], asked: string): string {
  const isOpen = asAsked(open) === asked;
  const isWarmup = warmup.length === 0 || warmup.some((page) => asAsked(page) === asked);
  if (isOpen && isWarmup) return 'open, where visitors land, and in warmup, if that is there';
  return isOpen ? 'open, where visitors land' : 'warmup';
}

/** What has another page asked for: by the check, as visitors ask, or both. */
function elsewhere(template: Facts['template'], asked: string, ofCheck: boolean): string {
  if (!ofCheck) return keysOf(template, asked);
  return checkedAt(template) + (isPage(template, asked) ? `, and ${keysOf(template, asked)}` : '');
}

/** As a request has it. */
function asAsked(path: string): string {
  const { pathname, search } = new URL(`http://app.invalid${path}`);
  return `${pathname}${search}`;
}

/** The template's readiness where the status is well, too: for the check, and for the pages of the warm-up. */
function allowing({ readiness }: Facts['template'], { status, path, from = path }: Answered): string {
  const also = { from: status, to: status };
  if (readiness.kind === 'http')
    return literal({ ...readiness, statuses: [...(readiness.statuses ?? [BELOW_400]), also] });
  const check = { kind: 'http', path: from, statuses: [BELOW_400, also], host: undefined } as const;
  // A status is named for an answer, which nothing else than a request brings.
  return `${literal(check)} in place of readiness.${readiness.kind}`;
}

function checkedAt({ readiness }: Facts['template']): string {
  const check = readiness.kind === 'http' ? readiness : { statuses: undefined, host: undefined };
  return literal({ ...check, kind: 'http', path: '/…' });
}

/** As it is written in a template: beside `path`, the short form, `http` would be refused. */
function literal({ path, statuses, host }: AppCheck & { readonly kind: 'http' }): string {
  const ranges = statuses?.map(({ from, to }) => (from === to ? from : `${from}-${to}`)).join(', ');
  const keys = [
    `path: ${/[^\w/.?=&%~…+-]/.test(path) ? JSON.stringify(path) : path}`,
    ...(ranges === undefined ? [] : [`status: [${ranges}]`]),
    ...(host === undefined ? [] : [`host: ${host}`]),
  ];
  return `readiness: { http: { ${keys.join(', ')} } }`;
}

export function runsInCircles({ seen }: Facts): Reached | undefined {
  if (seen?.kind !== 'circles') return undefined;
  const { path, toHttps } = seen;
  if (toHttps)
    return {
      reason: `it sends its visitors to https again and again (at ${path}), and they come by http`,
      remedy:
        'Switch that off by what the app takes, often a variable in env of the template (FORCE_SSL, FORCE_HTTPS), or ' +
        'serve instances by https (PUBLIC_SCHEME)',
    };
  return {
    reason: `it redirects its visitors without end, the last time to ${path}`,
    remedy:
      'Tell the app its public address by env of the template (${TRY_IT_NOW_URL}), and have it believe ' +
      'X-Forwarded-Proto and X-Forwarded-Host, from which it learns how its visitors came',
  };
}

export function wantsTls({ template: { port }, listening = [], seen }: FailureFacts): Reached | undefined {
  if (seen?.kind !== 'tls') return undefined;
  const others = listening.filter((socket) => !isLoopback(socket.address) && socket.port !== port);
  const ports = [...new Set(others.map((socket) => socket.port))];
  const also = ports.length === 0 ? '' : `; it listens on ${ports.join(', ')}, too`;
  const only = ports.length === 1 ? `: ${ports[0]}` : '';
  return {
    reason: `port ${port} speaks https, and the proxy speaks plain http to apps${also}`,
    remedy:
      `Name its http port (port of the template${only}), or switch TLS off in it by what it takes, often a variable ` +
      'in env',
  };
}

export function tooSlow({ template, seen }: Facts): Reached | undefined {
  if (seen?.kind !== 'silent') return undefined;
  const { readiness, port } = template;
  const { timeoutMs, requestTimeoutMs } = readiness;
  const path = seen.path ?? (readiness.kind === 'http' ? readiness.path : '/');
  const ofCheck = readiness.kind === 'http' && asAsked(readiness.path) === path;
  const key = ofCheck && timeoutMs < requestTimeoutMs ? 'timeout' : 'request_timeout';
  return {
    reason: `it took the connection on port ${port}, but did not answer GET ${path} within ${seen.afterMs} ms`,
    remedy:
      `Raise readiness.${key} (${key === 'timeout' ? timeoutMs : requestTimeoutMs} ms) if a request may take so long` +
      (isPage(template, path) ? ' (through the proxy, PROXY_RESPONSE_TIMEOUT at most)' : '') +
      `, or name a lighter page: ${elsewhere(template, path, ofCheck)}`,
  };
}

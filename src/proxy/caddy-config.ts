import { createHash } from 'node:crypto';
import { CONNECT_LABEL, hostname, type PublicAddress } from '../domain/address.ts';
import { NO_BRANDING, type Brand } from '../presentation/branding.ts';
import { Languages } from '../presentation/languages/languages.ts';
import { STORAGE_CHECK_PAGE, STORAGE_CHECK_PATH, STORAGE_CHECK_SCRIPT } from '../presentation/storage-check.ts';
import { languageChoice, languageIs } from './accept-language.ts';
import { LOST_HOST } from './discovery/ask.ts';
import { ZONE } from './discovery/zone.ts';
import type { Json } from './json.ts';
import { framing } from './framing.ts';
import { endedPage, LABEL_PLACE, lostPage, silentPage, unreachablePage, type ProxyPage } from './pages.ts';
import { locationReplacements, requestedOrigin, requestHeaders } from './public-origin.ts';

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface DemoServerOptions {
  /** As Caddy spells it, several addresses with commas between: `:8000`. */
  readonly listen: string;
  /** Where visitors reach instances. */
  readonly address: PublicAddress;
  /** The ports that apps listen on inside their containers. */
  readonly innerPorts: readonly number[];
  /** How long an app may take from the end of a request to the head of its answer. */
  readonly responseTimeoutMs: number;
  /** The DNS responder, and where the same process says over HTTP whether a name is live (`/ask`). */
  readonly discovery: Endpoint & { readonly metrics: Endpoint };
  /** The start page, linked from the pages for what is gone. */
  readonly publicUrl: string;
  /** The sites whose pages may show instances in a frame, besides the start page. */
  readonly allowedOrigins?: readonly string[];
  /** What those pages can be had in. */
  readonly languages?: Languages;
  readonly branding?: Brand;
  /** Addresses and CIDR blocks in front of Caddy whose X-Forwarded-* headers are believed; others' are replaced. */
  readonly trustedProxies?: readonly string[];
}

type JsonObject = Readonly<Record<string, Json>>;

const REFRESH_MS = 1_000;
/**
 * A server closes a connection that has been idle for its own while, and a POST that is on its way just then is lost:
 * nobody can tell whether it was carried out, so nobody may send it again. So ours are closed first: Gunicorn keeps
 * them for 2 s, Node, Apache and Uvicorn for 5 s. A new one costs a fraction of a millisecond.
 */
const KEEP_ALIVE_MS = 1_000;

/**
 * How long Caddy may still send requests for a name to the port it had: its cached answer, then an idle connection. A
 * freed port must rest longer than this before another instance gets it.
 */
export const PROXY_MEMORY_MS = REFRESH_MS + KEEP_ALIVE_MS;

/** Of the head of an answer: the proxy keeps it in memory, several times as large, until it is whole. */
const MOST_HEAD_BYTES = 65_536;

/**
 * Browsers delete `"cookies"` for the whole site, start page and the operator's logins included, on any page that names
 * an address of the app; all else that an app may clear is its own origin's. Its own cookies it can let expire.
 */
const CLEARED_OF_OWN_ORIGIN = [
  { search_regexp: '[^,]*[*][^,]*', replace: '"cache", "storage"' },
  { search_regexp: '(?i)[^,]*cookies[^,]*(,|$)', replace: '' },
  { search_regexp: ',\\s*$', replace: '' },
];

/**
 * Caddy's `demo` server. Instances are no routes: every change through the admin API reloads the whole configuration
 * and cuts open WebSockets, so one wildcard route asks discovery at request time instead.
 */
export function demoServer(options: DemoServerOptions): JsonObject {
  const { address, publicUrl, languages = new Languages(), branding = NO_BRANDING } = options;
  const start = new URL(publicUrl);
  const shared = { languages, branding, startUrl: start.href };
  const embedders = [start.origin, ...(options.allowedOrigins ?? [])];
  const label = `{http.request.host.labels.${labelsOf(address)}}`;
  const pageOf = (page: ProxyPage): JsonObject[] => pageRoutes(page, { startOrigin: start.origin, embedders, label });
  const ended = pageOf(endedPage(shared));
  const pages = {
    ended,
    lost: pageOf(lostPage(shared)),
    unreachable: pageOf(unreachablePage(shared)),
    hanging: pageOf(silentPage(shared, options.responseTimeoutMs)),
  };
  return {
    listen: options.listen.split(','),
    automatic_https: { disable: true },
    read_header_timeout: '15s',
    idle_timeout: '2m',
    max_header_bytes: 65_536,
    routes: [
      // Nothing is here but the connection itself, which then serves the instance; so no answer may be kept.
      {
        match: [{ host: [hostname(address, CONNECT_LABEL)] }],
        handle: [{ handler: 'static_response', status_code: 204, headers: { 'Cache-Control': ['no-store'] } }],
        terminal: true,
      },
      {
        match: [{ host: [`*.${address.baseDomain}`], path: [STORAGE_CHECK_PATH] }],
        handle: [storageCheck(embedders)],
        terminal: true,
      },
      {
        match: [{ host: [`*.${address.baseDomain}`] }],
        handle: [instanceHeaders(), ...framing(embedders), reverseProxy(options)],
        terminal: true,
      },
      // The same name to DNS, but another to browsers, and to apps that compare it.
      {
        match: [{ host: [`*.${address.baseDomain}.`] }],
        handle: [redirect(308, `${requestedOrigin(address, labelsOf(address) + 1)}{http.request.orig_uri}`)],
        terminal: true,
      },
      // The base domain and everything else lead to the start page, unless the request was for the
      // start page itself: no loop.
      {
        match: [{ not: [{ vars: { '{http.request.hostport}': [start.host] } }] }],
        handle: [redirect(302, literal(start.href))],
        terminal: true,
      },
      ...ended,
    ],
    errors: { routes: errorRoutes(options, pages) },
  };
}

function errorRoutes(
  options: DemoServerOptions,
  { ended, lost, unreachable, hanging }: Readonly<Record<'ended' | 'lost' | 'unreachable' | 'hanging', JsonObject[]>>,
): JsonObject[] {
  const page = (live: JsonObject[], unanswered: JsonObject[]): JsonObject[] => [
    askWhetherLive(options, { ended, lost, live, unanswered }),
  ];
  return [
    // No SRV answer: nobody has that name, its host is lost, or discovery could not say.
    { match: [errorStatus('503')], handle: page(unreachable, ended), terminal: true },
    // The instance took the request and gave no answer.
    { match: [NO_HEAD_IN_TIME], handle: page(hanging, hanging), terminal: true },
    // The instance did not take the connection; or it has ended, and Caddy's answer is an old one.
    { match: [errorStatus('502', '504')], handle: page(unreachable, unreachable), terminal: true },
  ];
}

/** Caddy gives this the same status as a connection that was not taken in time; the words are of Go's HTTP client. */
const NO_HEAD_IN_TIME: JsonObject = {
  vars_regexp: { '{http.error.message}': { pattern: 'timeout awaiting response headers' } },
};

function errorStatus(...statuses: string[]): JsonObject {
  return { vars: { '{http.error.status_code}': statuses } };
}

/**
 * Caddy's own answer about a name may be a second old, and does not tell "there is none" from "nobody could say":
 * discovery is asked again before a visitor is told that their instance has ended, or that it has not.
 */
function askWhetherLive(
  { discovery: { host, metrics } }: DemoServerOptions,
  { ended, lost, live, unanswered }: Readonly<Record<'ended' | 'lost' | 'live' | 'unanswered', JsonObject[]>>,
): JsonObject {
  // A listener on all addresses is reached where its DNS is.
  const at = metrics.host === '0.0.0.0' || metrics.host === '::' ? host : metrics.host;
  return {
    handler: 'subroute',
    routes: [
      {
        handle: [
          {
            handler: 'reverse_proxy',
            upstreams: [{ dial: `${bracketed(at)}:${metrics.port}` }],
            transport: { protocol: 'http', dial_timeout: '1s', response_header_timeout: '1s' },
            rewrite: { method: 'GET', uri: '/ask?domain={http.request.host}' },
            // What a visitor sends is not discovery's business, and an upgrade would take the connection over.
            headers: { request: { delete: ['Authorization', 'Connection', 'Cookie', 'Upgrade'] } },
            handle_response: [
              { match: { status_code: [404] }, routes: ended },
              { match: { headers: { [LOST_HOST.header]: [LOST_HOST.value] } }, routes: lost },
              { routes: live },
            ],
          },
        ],
      },
    ],
    errors: { routes: unanswered },
  };
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

function redirect(status: number, location: string): JsonObject {
  return {
    handler: 'static_response',
    status_code: status,
    headers: { Location: [location], 'Cache-Control': ['no-store'] },
  };
}

function storageCheck(embedders: readonly string[]): JsonObject {
  const policy =
    `default-src 'none'; script-src 'sha256-${sha256(STORAGE_CHECK_SCRIPT)}'; ` +
    `frame-ancestors ${embedders.join(' ')}`;
  return {
    handler: 'static_response',
    status_code: 200,
    headers: {
      'Content-Type': ['text/html; charset=utf-8'],
      'Content-Security-Policy': [policy],
      'X-Content-Type-Options': ['nosniff'],
      'Cache-Control': ['max-age=3600'],
    },
    body: literal(STORAGE_CHECK_PAGE),
  };
}

/** Caddy counts labels from the right, from 0: the instance's is the one before the base domain. */
function labelsOf({ baseDomain }: PublicAddress): number {
  return baseDomain.split('.').length;
}

function reverseProxy(options: DemoServerOptions): JsonObject {
  const { address, discovery, innerPorts, responseTimeoutMs, trustedProxies = [] } = options;
  const resolver = { addresses: [`udp/${bracketed(discovery.host)}:${discovery.port}`] };
  const label = labelsOf(address);
  const origin = requestedOrigin(address, label);
  return {
    handler: 'reverse_proxy',
    dynamic_upstreams: {
      source: 'srv',
      // The last dot keeps the host's DNS search list out of it.
      name: `{http.request.host.labels.${label}}.${ZONE}.`,
      refresh: `${REFRESH_MS}ms`,
      dial_timeout: '1s',
      resolver,
    },
    transport: {
      protocol: 'http',
      resolver,
      dial_timeout: '2s',
      response_header_timeout: `${responseTimeoutMs}ms`,
      max_response_header_size: MOST_HEAD_BYTES,
      // Whatever the app sends goes through as it is.
      compression: false,
      keep_alive: { enabled: true, idle_timeout: `${KEEP_ALIVE_MS}ms` },
    },
    headers: {
      request: requestHeaders(address, origin),
      response: {
        // What reaches beyond the instance's own host is taken out: these two headers alone do.
        replace: {
          // A cookie for the whole base domain would reach every other visitor's instance.
          'Set-Cookie': [{ search_regexp: '(?i);\\s*domain\\s*=[^;]*', replace: '' }],
          'Clear-Site-Data': CLEARED_OF_OWN_ORIGIN,
          Location: locationReplacements(address, origin, innerPorts),
        },
      },
    },
    ...(trustedProxies.length === 0 ? {} : { trusted_proxies: trustedProxies }),
  };
}

/**
 * The host name is what opens an instance: keep it out of Referer headers and search engines. The app's own policy,
 * coming later, wins.
 */
function instanceHeaders(): JsonObject {
  return {
    handler: 'headers',
    response: {
      set: { 'Referrer-Policy': ['same-origin'], 'X-Robots-Tag': ['noindex, nofollow'] },
      delete: ['Server'],
    },
  };
}

/** For browsers as HTML in their language, for everything else as a problem body. */
function pageRoutes(
  { status, pages, problem, script, retrySeconds }: ProxyPage,
  {
    startOrigin,
    embedders,
    label,
  }: { readonly startOrigin: string; readonly embedders: readonly string[]; readonly label: string },
): JsonObject[] {
  const retry: JsonObject = retrySeconds === undefined ? {} : { 'Retry-After': [String(retrySeconds)] };
  const policy = [
    `default-src 'none'; style-src 'unsafe-inline'; img-src ${startOrigin}; base-uri 'none'; form-action 'none'`,
    `frame-ancestors ${embedders.join(' ')}`,
    `script-src 'sha256-${sha256(script)}'; connect-src 'self'`,
  ];
  const security: JsonObject = {
    'Content-Security-Policy': [policy.join('; ')],
    'X-Content-Type-Options': ['nosniff'],
    'Referrer-Policy': ['same-origin'],
    'Cross-Origin-Resource-Policy': ['same-origin'],
  };
  const respond = (contentType: string, body: string): JsonObject => ({
    handler: 'static_response',
    status_code: status,
    headers: {
      'Content-Type': [contentType],
      'Cache-Control': ['no-store'],
      Vary: ['Accept, Accept-Language'],
      ...retry,
      ...security,
    },
    body: literal(body).replaceAll(LABEL_PLACE, label),
  });
  const [{ tag: first }, ...others] = pages;
  return [
    { handle: [languageChoice([first, ...others.map(({ tag }) => tag)])] },
    ...pages.map(({ tag, html }) => ({
      match: [{ header: { Accept: ['*text/html*'] }, ...languageIs(tag) }],
      handle: [respond('text/html; charset=utf-8', html)],
      terminal: true,
    })),
    {
      handle: [respond('application/problem+json', problem)],
      terminal: true,
    },
  ];
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}

/** Caddy fills in what stands in braces; these stay what they are. */
function literal(text: string): string {
  return text.replaceAll('{', '\\{').replaceAll('}', '\\}');
}

import { endedPage, RETRY_SECONDS, unreachablePage, type ProxyPage } from './pages.ts';
import { ZONE } from './discovery/zone.ts';

export interface DemoServerOptions {
  /** As Caddy spells it: `:8000`. */
  readonly listen: string;
  readonly baseDomain: string;
  /** The DNS responder. */
  readonly discovery: { readonly host: string; readonly port: number };
  /** The start page, linked from the pages for what is gone. */
  readonly publicUrl: string;
  /** Addresses and CIDR blocks in front of Caddy whose X-Forwarded-* headers are believed; others' are replaced. */
  readonly trustedProxies?: readonly string[];
}

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = Readonly<Record<string, Json>>;

const REFRESH_MS = 1_000;
const KEEP_ALIVE_MS = 8_000;

/**
 * How long Caddy may still send requests for a name to the port it had: its cached answer, then an idle connection. A
 * freed port must rest longer than this before another instance gets it.
 */
export const PROXY_MEMORY_MS = REFRESH_MS + KEEP_ALIVE_MS;

/**
 * Caddy's `demo` server. Instances are no routes: every change through the admin API reloads the whole configuration
 * and cuts open WebSockets, so one wildcard route asks discovery at request time instead.
 */
export function demoServer(options: DemoServerOptions): JsonObject {
  const start = new URL(options.publicUrl);
  const ended = endedPage(options.publicUrl);
  return {
    listen: [options.listen],
    automatic_https: { disable: true },
    read_header_timeout: '15s',
    idle_timeout: '2m',
    max_header_bytes: 65_536,
    routes: [
      {
        match: [{ host: [`*.${options.baseDomain}`] }],
        handle: [instanceHeaders(), reverseProxy(options)],
        terminal: true,
      },
      // The base domain and everything else lead to the start page, unless the request was for the
      // start page itself: no loop.
      {
        match: [{ not: [{ vars: { '{http.request.hostport}': [start.host] } }] }],
        handle: [
          {
            handler: 'static_response',
            status_code: 302,
            headers: { Location: [literal(start.href)], 'Cache-Control': ['no-store'] },
          },
        ],
        terminal: true,
      },
      ...pageRoutes(ended),
    ],
    errors: {
      routes: [
        // No SRV answer: nobody has that name.
        ...pageRoutes(ended, ['503']),
        // The instance refused the connection, or did not take it in time.
        ...pageRoutes(unreachablePage(options.publicUrl), ['502', '504']),
      ],
    },
  };
}

function reverseProxy({ baseDomain, discovery, trustedProxies = [] }: DemoServerOptions): JsonObject {
  const host = discovery.host.includes(':') ? `[${discovery.host}]` : discovery.host;
  const resolver = { addresses: [`udp/${host}:${discovery.port}`] };
  // Caddy counts labels from the right, from 0: the instance's is the one before the base domain.
  const label = baseDomain.split('.').length;
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
      // Whatever the app sends goes through as it is.
      compression: false,
      keep_alive: { enabled: true, idle_timeout: `${KEEP_ALIVE_MS}ms` },
    },
    headers: {
      response: {
        // A cookie for the whole base domain would reach every other visitor's instance.
        replace: { 'Set-Cookie': [{ search_regexp: '(?i);\\s*domain=[^;]*', replace: '' }] },
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

/** For browsers as HTML, for everything else as a problem body. */
function pageRoutes(page: ProxyPage, errorStatus?: readonly string[]): JsonObject[] {
  const status: JsonObject = errorStatus === undefined ? {} : { vars: { '{http.error.status_code}': errorStatus } };
  const retry: JsonObject = page.status === 503 ? { 'Retry-After': [String(RETRY_SECONDS)] } : {};
  const security: JsonObject = {
    'Content-Security-Policy': ["default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"],
    'X-Content-Type-Options': ['nosniff'],
    'Referrer-Policy': ['same-origin'],
  };
  const respond = (contentType: string, body: string): JsonObject => ({
    handler: 'static_response',
    status_code: page.status,
    headers: { 'Content-Type': [contentType], 'Cache-Control': ['no-store'], Vary: ['Accept'], ...retry, ...security },
    body: literal(body),
  });
  return [
    {
      match: [{ ...status, header: { Accept: ['*text/html*'] } }],
      handle: [respond('text/html; charset=utf-8', page.html)],
      terminal: true,
    },
    {
      ...(errorStatus === undefined ? {} : { match: [status] }),
      handle: [respond('application/problem+json', page.problem)],
      terminal: true,
    },
  ];
}

/** Caddy fills in what stands in braces; these stay what they are. */
function literal(text: string): string {
  return text.replaceAll('{', '\\{').replaceAll('}', '\\}');
}

import { endedPage, RETRY_SECONDS, unreachablePage, type ProxyPage } from './pages.ts';
import { ZONE } from './discovery/zone.ts';

interface Endpoint {
  readonly host: string;
  readonly port: number;
}

export interface DemoServerOptions {
  /** As Caddy spells it: `:8000`. */
  readonly listen: string;
  readonly baseDomain: string;
  /** The DNS responder, and where the same process says over HTTP whether a name is live (`/ask`). */
  readonly discovery: Endpoint & { readonly metrics: Endpoint };
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
  const ended = pageRoutes(endedPage(options.publicUrl));
  const unreachable = pageRoutes(unreachablePage(options.publicUrl));
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
      ...ended,
    ],
    errors: {
      routes: [
        // No SRV answer: nobody has that name, or discovery could not say.
        { match: [errorStatus('503')], handle: [askWhetherLive(options, ended, unreachable, ended)], terminal: true },
        // The instance did not take the connection; or it has ended, and Caddy's answer is an old one.
        {
          match: [errorStatus('502', '504')],
          handle: [askWhetherLive(options, ended, unreachable, unreachable)],
          terminal: true,
        },
      ],
    },
  };
}

function errorStatus(...statuses: string[]): JsonObject {
  return { vars: { '{http.error.status_code}': statuses } };
}

/**
 * Caddy's own answer about a name may be a second old, and does not tell "there is none" from "nobody could say":
 * discovery is asked again before a visitor is told that their instance has ended, or that it has not.
 */
function askWhetherLive(
  { discovery: { host, metrics } }: DemoServerOptions,
  ended: JsonObject[],
  live: JsonObject[],
  unanswered: JsonObject[],
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
            handle_response: [{ match: { status_code: [404] }, routes: ended }, { routes: live }],
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

function reverseProxy({ baseDomain, discovery, trustedProxies = [] }: DemoServerOptions): JsonObject {
  const resolver = { addresses: [`udp/${bracketed(discovery.host)}:${discovery.port}`] };
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
function pageRoutes(page: ProxyPage): JsonObject[] {
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
      match: [{ header: { Accept: ['*text/html*'] } }],
      handle: [respond('text/html; charset=utf-8', page.html)],
      terminal: true,
    },
    {
      handle: [respond('application/problem+json', page.problem)],
      terminal: true,
    },
  ];
}

/** Caddy fills in what stands in braces; these stay what they are. */
function literal(text: string): string {
  return text.replaceAll('{', '\\{').replaceAll('}', '\\}');
}

import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { steadyClock } from '../domain/clock.ts';
import { TryItNowError } from '../domain/errors.ts';
import type { Log } from '../domain/log.ts';
import { sleep } from '../lifecycle/sleep.ts';
import type { PagesWait } from '../pool/interfaces/pages-wait.ts';
import type { Proxy } from '../pool/interfaces/proxy.ts';
import { askAdmin } from './caddy-admin.ts';
import { ZONE } from './discovery/zone.ts';
import { demoServer, type DemoServerOptions } from './caddy-config.ts';
import type { Json } from './json.ts';
import { waitInMemory } from './pages-wait.ts';
import { whatRoutes } from './what-routes.ts';

/** Digests of what a server wants of the proxy. */
export interface WantedOfProxy {
  readonly wants: string;
  /** Without what is only shown; a version before this one does not say it. */
  readonly routes?: string;
}

export interface CaddyProxyOptions extends DemoServerOptions {
  /** Caddy's admin API. */
  readonly adminUrl: string;
  /**
   * Whether it is ours to replace what another server wrote there; anybody puts back what is missing. Without it, it
   * is.
   */
  readonly mayReplace?: (() => Promise<boolean>) | undefined;
  /** What changes while the server runs, in place of what is above; asked at each look. */
  readonly offered?: () => Pick<DemoServerOptions, 'innerPorts' | 'allowedOrigins'>;
  /**
   * What the servers want that run with this proxy, for who looks beside them: they go by settings and templates of
   * their own, until the next restart or reload. With one of these the proxy is as it should be.
   */
  readonly wantedByServers?: (() => Promise<readonly WantedOfProxy[]>) | undefined;
  /** Kept where it outlives this process; without it, it does not. */
  readonly pagesWait?: PagesWait;
  readonly log: Log;
}

type Seen = Awaited<ReturnType<Proxy['check']>>;
type Made = Required<WantedOfProxy> & { readonly key: string; readonly server: Json };

const SERVER_PATH = '/config/apps/http/servers/demo';
/** Somebody else may make or remove the server between our reading and our writing. */
const ATTEMPTS = 3;
const DIGEST_CHARACTERS = 32;
const RELOAD_PAUSE_MS = 100;
/**
 * For so long other words on our pages wait for a moment without a request. By then the quietest hour of the day
 * has come once, and it is again the hour of the restart that brought them, which somebody has chosen.
 */
const PAGES_WAIT_HOURS = 24;

/**
 * Our server in Caddy's configuration, and nothing else of it: an operator's own servers are neither read nor written.
 */
export class CaddyProxy implements Proxy {
  readonly name: string;
  readonly #options: CaddyProxyOptions;
  readonly #pagesWait: PagesWait;
  #made: Made | undefined;
  /** Whether pages are known to wait; undefined: not known yet, or not ours to know. */
  #pagesDoWait: boolean | undefined;

  constructor(options: CaddyProxyOptions) {
    this.name = `${options.adminUrl} of ${hostname()}`;
    this.#options = options;
    this.#pagesWait = options.pagesWait ?? waitInMemory(steadyClock);
  }

  /** Throws proxy_unavailable when Caddy's admin API does not answer. */
  async ping(): Promise<void> {
    await askAdmin(this.#options.adminUrl, 'GET', SERVER_PATH);
  }

  /** Our server as it should be. */
  get wanted(): WantedOfProxy {
    const { wants, routes } = this.#make();
    return { wants, routes };
  }

  async check(): Promise<Seen> {
    return insisting(async () => (await this.#look()).seen);
  }

  /**
   * Writes only what differs, because every write reloads Caddy and cuts open WebSockets. Where it is only what our
   * pages show, it waits while there are requests, at most `PAGES_WAIT_HOURS`. Throws proxy_unavailable, port_taken.
   */
  async ensure(): Promise<'unchanged' | 'written'> {
    const { adminUrl, listen, log } = this.#options;
    return insisting(async () => {
      const { seen, etag } = await this.#look();
      if (!(await this.#mayWrite(seen))) return 'unchanged';
      const { server } = this.#make();
      // PUT makes missing levels and refuses to replace; PATCH replaces and refuses to make.
      const written = await (seen === 'missing'
        ? askAdmin(adminUrl, 'PUT', SERVER_PATH, server)
        : askAdmin(adminUrl, 'PATCH', SERVER_PATH, server, etag));
      if (!written.ok) throw this.#refused(written.error);
      await this.#endPagesWait();
      log.info({ adminUrl, listen, replaced: seen !== 'missing' }, 'Proxy configuration written');
      return 'written';
    });
  }

  async connected(): Promise<ReadonlySet<string>> {
    const { adminUrl } = this.#options;
    const { ok, body, error } = await insisting(() => askAdmin(adminUrl, 'GET', '/reverse_proxy/upstreams'));
    if (!ok || !Array.isArray(body))
      throw new TryItNowError('proxy_unavailable', `Caddy at ${adminUrl} does not tell who is connected (${error})`);
    return new Set((body as readonly Upstream[]).flatMap(instanceOf));
  }

  async #mayWrite(seen: Seen): Promise<boolean> {
    if (seen === 'missing') return true;
    // What is as it should be needs nobody's word.
    const ours = await (seen === 'present' ? this.#mayReplace().catch(() => false) : this.#mayReplace());
    if (!ours) this.#pagesDoWait = undefined;
    else if (seen === 'present') await this.#endPagesWait();
    else return seen === 'different' || (await this.#isMomentForPages());
    return false;
  }

  async #mayReplace(): Promise<boolean> {
    return (await this.#options.mayReplace?.()) ?? true;
  }

  async #isMomentForPages(): Promise<boolean> {
    const { adminUrl, log } = this.#options;
    const { size: connected } = await this.connected();
    if (connected === 0) return true;
    const waitedMs = await this.#pagesWait.waitedMs();
    const wasKnown = this.#pagesDoWait === true;
    this.#pagesDoWait = true;
    if (waitedMs >= PAGES_WAIT_HOURS * 3_600_000) return true;
    if (!wasKnown)
      log.info(
        { adminUrl, connected, waitedMs },
        "What the proxy's own pages show has changed; it is written once no request to an instance is under way, " +
          `within ${PAGES_WAIT_HOURS} hours of when a server first saw that`,
      );
    return false;
  }

  /** What waits from then on begins from the start. Where it cannot be said now, it is at the next look. */
  async #endPagesWait(): Promise<void> {
    if (this.#pagesDoWait === false) return;
    this.#pagesDoWait = await this.#pagesWait.end().then(
      () => false,
      () => undefined,
    );
  }

  /** Made again only when it is another one: its pages are in every language. */
  #make(): Made {
    const offered = this.#options.offered?.() ?? {};
    const key = JSON.stringify(offered);
    if (this.#made?.key !== key) {
      const server = demoServer({ ...this.#options, ...offered });
      this.#made = { key, server, wants: digestOf(server), routes: digestOf(whatRoutes(server)) };
    }
    return this.#made;
  }

  async #look(): Promise<{ readonly seen: Seen; readonly etag: string | undefined }> {
    const { ok, body, etag } = await askAdmin(this.#options.adminUrl, 'GET', SERVER_PATH);
    // A missing level above is an error to Caddy's GET, a missing server is null; to us both mean: not there.
    if (!ok || body === null) return { seen: 'missing', etag };
    const own = this.#make();
    if (isDeepStrictEqual(body, own.server)) return { seen: 'present', etag };
    const wanted = (await this.#options.wantedByServers?.()) ?? [];
    const there = digestOf(body);
    if (wanted.some(({ wants }) => wants === there)) return { seen: 'present', etag };
    const routes = digestOf(whatRoutes(body));
    const differsInPages = [own, ...wanted].some((each) => each.routes === routes);
    return { seen: differsInPages ? 'other_pages' : 'different', etag };
  }

  #refused(reason: string): TryItNowError {
    const { listen, adminUrl } = this.#options;
    if (/address already in use|listener address repeated/.test(reason)) {
      return new TryItNowError(
        'port_taken',
        `the proxy cannot listen on ${listen}: another program or another site of the same Caddy has that port ` +
          `(Caddy says: ${reason}); free it or set PROXY_LISTEN`,
      );
    }
    return new TryItNowError(
      'proxy_unavailable',
      `Caddy at ${adminUrl} refuses our configuration (it says: ${reason})`,
    );
  }
}

/** The same for the same, in whatever order Caddy gives the names back. */
function digestOf(value: Json): string {
  const sorted = JSON.stringify(value, (_, each: Json) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
  return createHash('sha256').update(sorted).digest('hex').slice(0, DIGEST_CHARACTERS);
}

/** As Caddy lists those that it has requests under way to, open WebSockets among them. */
interface Upstream {
  readonly address?: unknown;
  readonly num_requests?: unknown;
}

/** Discovery names an instance's host `<node>.<zone>`; what else this Caddy serves is nobody's instance. */
function instanceOf({ address, num_requests: requests }: Upstream): string[] {
  if (typeof address !== 'string' || !(Number(requests) > 0)) return [];
  const [, node, port] = new RegExp(`^([^.]+)\\.${ZONE.replaceAll('.', '\\.')}\\.?:(\\d+)$`).exec(address) ?? [];
  return node === undefined || port === undefined ? [] : [`${node}:${port}`];
}

/** Caddy drops its admin connections whenever anybody reloads it; the next look tells what became of ours. */
async function insisting<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (tries === ATTEMPTS) throw error;
      await sleep(RELOAD_PAUSE_MS);
    }
  }
}

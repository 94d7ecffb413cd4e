import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { request } from 'undici';
import { newHostLabel } from '../domain/ids.ts';
import { hostname, type PublicAddress } from '../domain/address.ts';
import { describeError } from '../domain/errors.ts';
import { deadlineSignal } from '../lifecycle/deadline.ts';
import type { Proxy } from '../pool/interfaces/proxy.ts';
import { adminSocket } from '../proxy/caddy-admin.ts';
import { caddyHoles } from './known-holes.ts';
import { NotChecked, failure, notChecked, ok, warning, type Check, type Observation, type Shared } from './check.ts';

const run = promisify(execFile);
const PART = 'Caddy';
const TIMEOUT_MS = 4_000;
const LOOPBACK = /^(127\.|localhost$|\[?::1)/;
const START = 'Start it (`systemctl enable --now caddy`), or correct CADDY_ADMIN_URL.';

type Site = Awaited<ReturnType<Proxy['check']>>;

export interface CaddyAddresses {
  readonly adminUrl: string;
  /** Where this host reaches proxies. */
  readonly internalUrls: readonly string[];
  readonly listen: string;
  readonly address: PublicAddress;
}

/** The proxy of this host: its admin API, our server in it. */
export function caddyChecks(site: Shared<Site>, addresses: CaddyAddresses): Check[] {
  return [
    {
      part: PART,
      what: 'admin API',
      remedy: START,
      run: async () => {
        await site.get();
        return [ok('admin API', `answers at ${addresses.adminUrl}`), await access(addresses.adminUrl)];
      },
    },
    { part: PART, what: 'version', run: () => version(addresses) },
    { part: PART, what: 'demo server', run: async () => [server(await site.need())] },
  ];
}

/** Whether a visitor's request gets through to discovery, by each proxy that this host uses. */
export function proxyReachedCheck(addresses: CaddyAddresses): Check {
  return { part: PART, what: 'listens', run: () => listens(addresses) };
}

/** Whoever reaches it has Caddy send any file that Caddy may read, and owns every visit. */
async function access(adminUrl: string): Promise<Observation> {
  const what = 'admin access';
  const socket = adminSocket(adminUrl);
  if (socket !== undefined)
    return (await opensToServer(socket))
      ? ok(what, 'by a socket, for those who may open it')
      : warning(
          what,
          `root has to pass over the mode of ${socket}, which the server under systemd may not do`,
          'Run /opt/try-it-now/deploy/caddy/apply.js, which opens it to the group of its folder, and have that as in ' +
            'deploy/caddy/caddy.service.conf (docs/deployment.md).',
        );
  return warning(
    what,
    'by a port, so every user and program of the host may change what Caddy does, and read what it may read',
    'Have it on a socket: deploy/caddy/caddy.service.conf and the Caddyfiles beside it are made for that ' +
      '(docs/deployment.md), with CADDY_ADMIN_URL=unix:///run/try-it-now-caddy/admin.sock.',
  );
}

/**
 * By what the modes say to this user, without root's right to pass over them. A folder that is its owner's alone, as
 * `up` makes it, is for a server with all rights.
 */
async function opensToServer(socket: string): Promise<boolean> {
  return !(await allows(dirname(socket), 0o1)) || (await allows(socket, 0o2));
}

/** `right`: of the three bits of a mode for others. */
async function allows(path: string, right: number): Promise<boolean> {
  const { mode, uid, gid } = await stat(path);
  if (uid === process.getuid?.()) return (mode & (right << 6)) !== 0;
  const groups = [process.getegid?.(), ...(process.getgroups?.() ?? [])];
  return (mode & (groups.includes(gid) ? right << 3 : right)) !== 0;
}

/** Its admin API does not tell; on this host the program does. */
async function version({ adminUrl }: CaddyAddresses): Promise<Observation[]> {
  if (adminSocket(adminUrl) === undefined && !LOOPBACK.test(new URL(adminUrl).hostname))
    throw new NotChecked('Caddy tells its version to nobody, and it is on another host');
  try {
    const { stdout } = await run('caddy', ['version'], { timeout: TIMEOUT_MS });
    const built = await run('caddy', ['build-info'], { timeout: TIMEOUT_MS });
    const go = /^go\s+(go\S+)/m.exec(built.stdout)?.[1];
    return [
      ok('version', `${stdout.split(' ')[0]?.trim() ?? '?'} (of the program on this host)`),
      ...(go === undefined ? [] : [caddyHoles(go)]),
    ];
  } catch {
    return [notChecked('version', 'the program caddy is not on the PATH')];
  }
}

function server(seen: Site): Observation {
  const remedy =
    'The server puts it back within 2 s: start it (`systemctl start try-it-now`), or run `try-it-now reconcile`.';
  if (seen === 'missing')
    return failure('demo server', "is not in Caddy's configuration: nobody reaches an instance", remedy);
  if (seen === 'other_pages')
    return ok(
      'demo server',
      'treats requests as it should; what its own pages show is of before the last change, and is written by the ' +
        'server once no request to an instance is under way, within 24 hours of when one first saw that',
    );
  return seen === 'present'
    ? ok('demo server', 'is in its configuration as it should be')
    : failure('demo server', "was changed in Caddy's configuration", remedy);
}

/** By a name that no instance has: Caddy asks discovery for it, and says that there is nothing. */
async function listens({ internalUrls, listen, address }: CaddyAddresses): Promise<Observation[]> {
  const host = hostname(address, newHostLabel());
  const seen = await Promise.all(internalUrls.map(async (url) => ({ url, answer: await answered(url, host) })));
  const anyServes = seen.some(({ answer }) => answer === 404);
  return seen.map(({ url, answer }) => {
    const what = internalUrls.length === 1 ? 'listens' : `listens at ${url}`;
    if (answer === 404) return ok(what, `${url} answers a name without instance with 404`);
    if (typeof answer === 'number')
      return warning(
        what,
        `${url} answers a name without instance with ${answer}; 404 was expected`,
        'See whether discovery answers (below), and whether another program has the port (`ss -ltnp`).',
      );
    const found = `nothing answers visitors at ${url} (${answer})`;
    const remedy =
      `Start Caddy and the server, which has it listen on ${listen} (\`systemctl enable --now caddy try-it-now\`), ` +
      `or correct ${internalUrls.length === 1 ? 'PROXY_LISTEN' : 'PROXY_INTERNAL_URL'}.`;
    return anyServes ? warning(what, found, remedy) : failure(what, found, remedy);
  });
}

/** The status, or why there is none. */
async function answered(url: string, host: string): Promise<number | string> {
  try {
    const { statusCode, body } = await request(url, {
      headers: { host, accept: 'application/json' },
      reset: true,
      signal: deadlineSignal(TIMEOUT_MS),
    });
    await body.dump();
    return statusCode;
  } catch (error) {
    return describeError(error);
  }
}

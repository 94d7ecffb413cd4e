import { hostname } from 'node:os';
import type { Config } from '../config/config.ts';
import { NO_NODE } from '../domain/node.ts';
import type { CaddyProxyOptions, WantedOfProxy } from '../proxy/caddy-proxy.ts';
import type { Store } from '../store/store.ts';

/** A Caddy on loopback or on a socket is this host's; another is whose address is the same. */
export function proxyTask({ proxy: { adminUrl }, node }: Config): string {
  const host = adminUrl.startsWith('unix:') ? undefined : new URL(adminUrl).host;
  if (host !== undefined && !/^(localhost|127\.|\[::1\])/.test(host)) return `proxy:${host}`;
  return `proxy:${node.name === NO_NODE ? hostname() : node.name}`;
}

/**
 * For who looks at the proxy beside the servers: it is as it should be when it is as one of those wants it that run
 * with it, and what none of them wants, they replace by themselves. Each write cuts all WebSockets.
 */
export function besideServers(
  open: () => Promise<Pick<Store, 'processes'>>,
  config: Config,
): Pick<CaddyProxyOptions, 'mayReplace' | 'wantedByServers'> {
  const task = proxyTask(config);
  const wanted = async (): Promise<readonly WantedOfProxy[]> => {
    const running = await (await open()).processes.running();
    return running.flatMap(({ proxy }) => (proxy?.task === task ? [proxy] : []));
  };
  return {
    // Without Valkey nobody knows of any.
    wantedByServers: () => wanted().catch(() => []),
    mayReplace: async () => (await wanted()).length === 0,
  };
}

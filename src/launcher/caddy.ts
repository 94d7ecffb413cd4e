import { join } from 'node:path';
import { ChildServer, findProgram } from './child-server.ts';
import { commandAs, ownFolder, writeOwned, type Rights, type ServerAccount } from './server-account.ts';
import { answers, freePort } from './tcp-ports.ts';

export interface LaunchedCaddy extends AsyncDisposable {
  readonly adminUrl: string;
  readonly server: ChildServer;
}

/**
 * An empty Caddy. It starts without any site: the proxy port's engine writes that. Its admin API can have it send any
 * file it may read, so with `guard` it runs as that account, and the API is on a socket that only the account and root
 * reach; without, it is on loopback.
 */
export async function launchCaddy(options: {
  readonly dir: string;
  readonly adminPort?: number;
  readonly guard?: Rights & { readonly account: ServerAccount | undefined };
}): Promise<LaunchedCaddy> {
  const { dir, guard } = options;
  const own = guard === undefined ? dir : await ownFolder(dir, guard.account);
  const admin = guard === undefined ? await onLoopback(options.adminPort) : onSocket(own);
  const config = join(dir, 'caddy.json');
  await writeOwned(config, JSON.stringify({ admin: { ...admin.config, config: { persist: false } } }), guard?.account);
  const [command, ...args] = commandAs(findProgram('caddy') ?? 'caddy', guard?.account, guard);
  const server = await ChildServer.start({
    name: 'Caddy',
    command,
    args: [...args, 'run', '--config', config],
    cwd: own,
    cleanEnv: true,
    env: { XDG_DATA_HOME: own, XDG_CONFIG_HOME: own, HOME: own },
    comesFirst: true,
    saysUp: 'serving initial configuration',
    ...(admin.isUp === undefined ? {} : { isUp: admin.isUp }),
  });
  return { adminUrl: admin.url, server, [Symbol.asyncDispose]: () => server.stop() };
}

interface Admin {
  readonly url: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly isUp?: () => Promise<boolean>;
}

async function onLoopback(chosen: number | undefined): Promise<Admin> {
  const port = chosen ?? (await freePort());
  return {
    url: `http://127.0.0.1:${port}`,
    config: { listen: `127.0.0.1:${port}` },
    // Not by fetch: newer versions take its Sec-Fetch-Mode header for a browser's and refuse it.
    isUp: () => answers(port),
  };
}

function onSocket(folder: string): Admin {
  const socket = join(folder, 'admin.sock');
  // Requests by a socket have no host; curl wants to name one.
  return { url: `unix://${socket}`, config: { listen: `unix/${socket}`, origins: ['', 'localhost'] } };
}

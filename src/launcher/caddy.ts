import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ChildServer } from './child-server.ts';
import { answers, freePort } from './tcp-ports.ts';

export interface LaunchedCaddy extends AsyncDisposable {
  readonly adminUrl: string;
  readonly server: ChildServer;
}

/** An empty Caddy with its admin API on loopback. It starts without any site: the proxy port's engine writes that. */
export async function launchCaddy(options: {
  readonly dir: string;
  readonly adminPort?: number;
}): Promise<LaunchedCaddy> {
  const adminPort = options.adminPort ?? (await freePort());
  const adminUrl = `http://127.0.0.1:${adminPort}`;
  const config = join(options.dir, 'caddy.json');
  await writeFile(config, JSON.stringify({ admin: { listen: `127.0.0.1:${adminPort}`, config: { persist: false } } }));
  const server = await ChildServer.start({
    name: 'Caddy',
    command: 'caddy',
    args: ['run', '--config', config],
    cwd: options.dir,
    env: { XDG_DATA_HOME: options.dir, XDG_CONFIG_HOME: options.dir, HOME: options.dir },
    saysUp: 'serving initial configuration',
    // Not by fetch: newer versions take its Sec-Fetch-Mode header for a browser's and refuse it.
    isUp: () => answers(adminPort),
  });
  return { adminUrl, server, [Symbol.asyncDispose]: () => server.stop() };
}

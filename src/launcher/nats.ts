import { ChildServer } from './child-server.ts';
import { freePort } from './tcp-ports.ts';

export interface LaunchedNats extends AsyncDisposable {
  readonly url: string;
  /** http://127.0.0.1:<port>: /healthz, /jsz and friends. */
  readonly monitorUrl: string;
  readonly server: ChildServer;
}

/** A NATS server with JetStream on loopback, its streams under `dir`. */
export async function launchNats(options: {
  readonly dir: string;
  readonly port?: number;
  readonly monitorPort?: number;
}): Promise<LaunchedNats> {
  const port = options.port ?? (await freePort());
  const monitorPort = options.monitorPort ?? (await freePort());
  const monitorUrl = `http://127.0.0.1:${monitorPort}`;
  const server = await ChildServer.start({
    name: 'NATS',
    command: 'nats-server',
    args: ['-a', '127.0.0.1', '-p', String(port), '-m', String(monitorPort), '-js', '-sd', options.dir],
    saysUp: 'Server is ready',
    isUp: async () => (await fetch(`${monitorUrl}/healthz`)).ok,
  });
  return { url: `nats://127.0.0.1:${port}`, monitorUrl, server, [Symbol.asyncDispose]: () => server.stop() };
}

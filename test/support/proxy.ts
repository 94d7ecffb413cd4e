import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis as Valkey } from 'iovalkey';
import { WebSocket, WebSocketServer } from 'ws';
import { newHostLabel } from '../../src/domain/ids.ts';
import { launchCaddy, type LaunchedCaddy } from '../../src/launcher/caddy.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { launchValkey, type LaunchedValkey } from '../../src/launcher/valkey.ts';
import type { Releasers } from '../../src/lifecycle/releasers.ts';
import { CaddyProxy, type CaddyProxyOptions } from '../../src/proxy/caddy-proxy.ts';
import { startDiscovery, type Discovery, type DiscoveryOptions } from '../../src/proxy/discovery/discovery.ts';
import { startHttpListener } from '../../src/proxy/discovery/http-listener.ts';
import { greet } from '../../src/runtime/readiness/greet.ts';
import { ValkeyHostnameSource } from '../../src/store/hostname-source.ts';
import { keys } from '../../src/store/keys.ts';
import { silent } from './store.ts';

export const START_URL = 'http://start.example.test/';

/** What apps are told to listen on inside their containers. */
export const INNER_PORT = 3000;

/** A folder that is gone with what it is released by. */
export async function temporaryFolder(releasers: Releasers): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'try-it-now-proxy-'));
  releasers.push('folder', () => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** The names in a real Valkey, written as the store's scripts write them. */
export class NameBook {
  readonly port: number;
  readonly #valkey: Valkey;

  constructor(port: number, releasers: Releasers) {
    this.port = port;
    this.#valkey = new Valkey(port, '127.0.0.1', { maxRetriesPerRequest: 50, retryStrategy: () => 50 });
    this.#valkey.on('error', () => undefined);
    releasers.push('names', () => this.#valkey.disconnect());
  }

  get valkey(): Valkey {
    return this.#valkey;
  }

  async addNode(node = 'node0', address = '127.0.0.1'): Promise<void> {
    await this.#valkey.hset(keys.nodes, node, JSON.stringify({ v: 1, address, seenAtMs: Date.now() }));
  }

  async publish(label: string, port: number, node = 'node0'): Promise<void> {
    const entry = JSON.stringify({ v: 1, id: 'a', node, port });
    await this.#valkey
      .multi()
      .hset(keys.hostnames, label, entry)
      .xadd(keys.hostnameChanges, 'MAXLEN', '~', 10_000, '*', 'label', label, 'entry', entry)
      .exec();
  }

  async withdraw(label: string): Promise<void> {
    await this.#valkey
      .multi()
      .hdel(keys.hostnames, label)
      .xadd(keys.hostnameChanges, 'MAXLEN', '~', 10_000, '*', 'label', label, 'entry', '')
      .exec();
  }
}

export async function startValkey(
  releasers: Releasers,
  port?: number,
): Promise<LaunchedValkey & { readonly port: number }> {
  const launched = await launchValkey({
    dir: await temporaryFolder(releasers),
    ...(port === undefined ? {} : { port }),
  });
  releasers.push('valkey', () => launched.server.stop());
  return { ...launched, port: Number(launched.address.split(':')[1]) };
}

/** A store that is well but slow, on a machine that is busy, is still asked. */
export const PATIENT_DISCOVERY = { firstWordMs: 30_000, lookupTimeoutMs: 30_000 };

/** A discovery as its own process would run it, on the names in the Valkey at `valkeyPort`. */
export async function discover(
  releasers: Releasers,
  valkeyPort: number,
  options: Partial<DiscoveryOptions> = {},
): Promise<Discovery> {
  const source = new ValkeyHostnameSource({ host: '127.0.0.1', port: valkeyPort, password: undefined, log: silent });
  releasers.push('source', () => source.close());
  const usual = { listen: { port: 0 }, source, greet, log: silent, ...PATIENT_DISCOVERY };
  const discovery = await startDiscovery({ ...usual, ...options });
  releasers.push('discovery', () => discovery.close());
  return discovery;
}

export interface ProxyWorld {
  readonly caddy: LaunchedCaddy;
  readonly proxy: CaddyProxy;
  /** What it was made of, for another one of the same Caddy. */
  readonly options: CaddyProxyOptions;
  readonly proxyPort: number;
  readonly valkey: LaunchedValkey;
  readonly names: NameBook;
  readonly discovery: Discovery;
  readonly baseDomain: string;
}

/** Valkey, discovery and Caddy with our server written, all of the test's own. */
export async function startProxyWorld(
  releasers: Releasers,
  overrides: Partial<CaddyProxyOptions> = {},
): Promise<ProxyWorld> {
  const valkey = await startValkey(releasers);
  const names = new NameBook(valkey.port, releasers);
  await names.addNode();
  // Its own for good, so that it may end and be started there again.
  const responder = await discover(releasers, valkey.port, { listen: { port: await freePort() } });
  const caddy = await launchCaddy({ dir: await temporaryFolder(releasers) });
  releasers.push('caddy', () => caddy.server.stop());
  const proxyPort = await freePort();
  const metrics = { host: '127.0.0.1', port: await freePort() };
  const baseDomain = overrides.address?.baseDomain ?? 'localhost';
  const closeHttp = await startHttpListener({
    listen: metrics,
    metrics: { contentType: 'text/plain', text: () => Promise.resolve('') },
    ask: { baseDomain, startPageHost: 'start.example.test', isLive: (label) => responder.isLive(label) },
  });
  releasers.push('http', closeHttp);
  // One process in a deployment: its DNS and its HTTP end together.
  const discovery: Discovery = {
    ...responder,
    close: async () => {
      closeHttp();
      await responder.close();
    },
  };
  const options: CaddyProxyOptions = {
    adminUrl: caddy.adminUrl,
    listen: `127.0.0.1:${proxyPort}`,
    address: { scheme: 'http', baseDomain, port: proxyPort },
    innerPorts: [INNER_PORT],
    responseTimeoutMs: 60_000,
    discovery: { ...responder.address, metrics },
    // As configuration has it: without the slash at its end.
    publicUrl: new URL(START_URL).origin,
    log: silent,
    ...overrides,
  };
  const proxy = new CaddyProxy(options);
  await proxy.ensure();
  return { caddy, proxy, options, proxyPort, valkey, names, discovery, baseDomain };
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** GET through the proxy under any Host, which fetch would not let us choose. */
export function get(port: number, host: string, headers: Record<string, string> = {}, path = '/'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, headers: { host, ...headers }, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      response.once('end', () => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
      response.once('error', reject);
    });
    sent.once('error', reject);
    sent.end();
  });
}

export interface Upstream {
  readonly label: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** An app on loopback: `listener` for HTTP, and every WebSocket is echoed. */
export async function startUpstream(releasers: Releasers, listener: RequestListener): Promise<Upstream> {
  const server = createServer(listener);
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
    // A proxy that cuts it says good-bye as a server does, which is wrong towards one.
    socket.on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    for (const client of sockets.clients) client.terminate();
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  releasers.push('upstream', stop);
  return { label: newHostLabel(), port: (server.address() as AddressInfo).port, stop };
}

/** An open WebSocket to the instance, through the proxy. */
export async function openSocket(releasers: Releasers, port: number, host: string): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers: { host } });
  releasers.push('socket', () => socket.terminate());
  await once(socket, 'open');
  return socket;
}

/** What comes back for `text`; rejects when the socket closes first. */
export async function echo(socket: WebSocket, text: string): Promise<string> {
  const settled = new AbortController();
  const reply = once(socket, 'message', settled) as Promise<[Buffer]>;
  const closed = once(socket, 'close', settled).then(() => {
    throw new Error('the WebSocket was closed');
  });
  closed.catch(() => undefined);
  socket.send(text);
  try {
    const [data] = await Promise.race([reply, closed]);
    return data.toString();
  } finally {
    settled.abort();
  }
}

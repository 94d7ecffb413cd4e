import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { json as jsonOf } from 'node:stream/consumers';
import Value from 'typebox/value';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import { LOOPBACK } from '../isolation/publishing.ts';
import { START_BODY } from './engine-messages.ts';
import { SimulatedHost } from './simulated-host.ts';

export interface SimulatedEngine {
  /** Ends every container. */
  close(): Promise<void>;
}

/** Its clients are the servers on this host, so a body is small; more is none of theirs. */
const BODY_BYTES = 64 * 1024;

/**
 * A simulated engine on a unix socket that its owner alone may open, so that what it runs outlives its clients. Throws
 * port_taken when another one answers there already, and the system's errors for a socket that cannot be made.
 */
export async function serveSimulatedEngine(socketPath: string, host = new SimulatedHost()): Promise<SimulatedEngine> {
  if (await isAnswered(socketPath))
    throw new TryItNowError(
      'port_taken',
      `Another simulated engine, or some other server, answers on ${socketPath} already; end it, or set ` +
        'SIMULATED_SOCKET to another path',
    );
  await mkdir(dirname(socketPath), { recursive: true });
  // One left by a killed engine would keep the new one from listening.
  await rm(socketPath, { force: true });
  const server = createServer((request, response) => {
    answer(host, request, response).catch((error: unknown) => refuse(response, error));
  });
  // Bound before `listen` returns: at no time may anybody else open it.
  const mask = process.umask(0o177);
  try {
    server.listen(socketPath);
  } finally {
    process.umask(mask);
  }
  await once(server, 'listening');
  return {
    close: async () => {
      server.close();
      server.closeAllConnections();
      await host.close();
    },
  };
}

async function isAnswered(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

class Refusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const status = error instanceof Refusal ? error.status : error instanceof TryItNowError ? 409 : 500;
  send(response, status, { message: describeError(error) });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

async function answer(host: SimulatedHost, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://engine');
  const owner = { deployment: query.get('deployment') ?? '', node: query.get('node') ?? '' };
  const route = `${request.method ?? ''} ${pathname}`;
  switch (route) {
    case 'GET /_ping':
      send(response, 200, {});
      return;
    case 'GET /containers':
      send(response, 200, host.list(owner));
      return;
    case 'GET /any':
      send(response, 200, { any: host.hasAnyOf(owner.deployment) });
      return;
    case 'GET /events':
      stream(host, owner, Number(query.get('since')), response);
      return;
    default:
      send(response, 200, await toContainer(host, route, request, query));
  }
}

/** What is done to one container. */
async function toContainer(
  host: SimulatedHost,
  route: string,
  request: IncomingMessage,
  query: URLSearchParams,
): Promise<unknown> {
  const [, method, encoded = '', verb = ''] = /^([A-Z]+) \/containers\/([^/]+)((?:\/[a-z]+)?)$/.exec(route) ?? [];
  const name = decodeURIComponent(encoded);
  switch (`${method ?? ''} NAME${verb}`) {
    case 'POST NAME/start': {
      const {
        instanceId,
        keepUntilMs,
        address = LOOPBACK.address,
        ...body
      } = Value.Parse(START_BODY, await bodyOf(request));
      await host.start({ name, instanceId, keepUntilMs, address, ...body });
      return {};
    }
    case 'POST NAME/exec':
      return host.exec(name);
    case 'GET NAME/inspect':
      return { condition: host.inspect(name) };
    case 'GET NAME/logs':
      return { text: host.logs(name, Number(query.get('tail'))) };
    // No runtime asks for it; drills do.
    case 'POST NAME/crash':
      await host.crash(name);
      return {};
    case 'DELETE NAME':
      await host.remove(name);
      return {};
    default:
      throw new Refusal(404, `The simulated engine has no ${route}`);
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  if (Number(request.headers['content-length'] ?? Infinity) > BODY_BYTES)
    throw new Refusal(413, `A body may have ${BODY_BYTES} bytes, and has to say how many`);
  return jsonOf(request);
}

function stream(
  host: SimulatedHost,
  owner: { readonly deployment: string; readonly node: string },
  sinceMs: number,
  response: ServerResponse,
): void {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' }).flushHeaders();
  const stop = host.watch(owner, sinceMs, (container) => void response.write(`${JSON.stringify(container)}\n`));
  response.once('close', stop);
}

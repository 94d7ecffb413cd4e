import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server as HttpServer,
  type ServerResponse,
} from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';

/** One simulated container: a listening socket, whatever is connected to it, and when its app is up. */
export interface SimulatedContainer {
  readonly name: string;
  readonly template: string;
  /** Where it listens, IPv4. */
  readonly address: string;
  readonly hostPort: number;
  /** By performance.now(). Before it the app answers 503, as one that is still starting. */
  readonly upAtMs: number;
  /** Of every answer once it is up. */
  readonly status: number;
  /** What it wrote, the newest last. */
  readonly said: string[];
}

const MAX_MESSAGE_BYTES = 1024 * 1024;
const LINE_LENGTH = 200;
const LINES_KEPT = 1_000;
const IDLE_CONNECTION_MS = 5_000;

/**
 * Answers for all simulated containers: one HTTP server that never listens itself, fed by a bare listening socket each.
 */
export class Responder {
  readonly #http: HttpServer;
  readonly #webSockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES });
  readonly #owners = new WeakMap<object, SimulatedContainer>();

  constructor() {
    this.#http = createHttpServer({ keepAliveTimeout: IDLE_CONNECTION_MS }, (request, response) =>
      this.#answer(request, response),
    );
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#http.on('clientError', (_error, socket) => socket.destroy());
  }

  /** Rejects with the socket's error, EADDRINUSE for one. */
  async listen(container: SimulatedContainer): Promise<ListeningContainer> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      this.#owners.set(socket, container);
      this.#http.emit('connection', socket);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: container.address, port: container.hostPort, exclusive: true }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    return new ListeningContainer(container, server, sockets);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const container = this.#owners.get(request.socket);
    request.resume();
    if (container !== undefined) say(container, `${request.method ?? ''} ${(request.url ?? '').slice(0, LINE_LENGTH)}`);
    if (container === undefined || performance.now() < container.upAtMs) {
      response.writeHead(503, { 'content-type': 'text/plain', 'retry-after': '1' }).end('starting\n');
      return;
    }
    if (request.headers.accept?.startsWith('application/json') === true) {
      response
        .writeHead(container.status, { 'content-type': 'application/json' })
        .end(`${JSON.stringify({ container: container.name, template: container.template, path: request.url })}\n`);
      return;
    }
    response.writeHead(container.status, { 'content-type': 'text/html; charset=utf-8' }).end(page(container));
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (request.url?.split('?')[0] !== '/ws') {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
      return;
    }
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket: WebSocket) => {
      webSocket.on('message', (data, isBinary) => webSocket.send(data, { binary: isBinary }));
      // A peer that breaks off is its own affair; the socket closes right after.
      webSocket.on('error', () => undefined);
    });
  }
}

export class ListeningContainer {
  readonly container: SimulatedContainer;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;
  #stopped: Promise<void> | undefined;

  constructor(container: SimulatedContainer, server: Server, sockets: Set<Socket>) {
    this.container = container;
    this.#server = server;
    this.#sockets = sockets;
  }

  /** Resolves when nothing listens any more and every connection is cut. */
  stop(): Promise<void> {
    this.#stopped ??= new Promise((resolve) => {
      this.#server.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
    return this.#stopped;
  }
}

function say({ said }: SimulatedContainer, line: string): void {
  said.push(line);
  if (said.length > LINES_KEPT) said.shift();
}

function page({ name, template }: SimulatedContainer): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>${template}</title>
<body style="font-family:system-ui;margin:3rem auto;max-width:36rem"><h1>${template}</h1>
<p>A simulated instance: <code>${name}</code>.</p>
<p>No container engine is in use, so this page stands in for the app.</p></body></html>
`;
}

import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** What a visitor holds. */
export interface Held {
  readonly id: string;
  /** Host and port of its address, as browsers send them. */
  readonly host: string;
}

/** Of this server. Rejects while it has none. */
export async function acquire(server: string, template: string): Promise<Held> {
  const answer = await fetch(`${server}/api/v1/demo/acquire`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ template }),
    signal: AbortSignal.timeout(10_000),
  });
  if (answer.status !== 201) throw new Error(`${server} has no ${template}: ${await answer.text()}`);
  const { id, url } = (await answer.json()) as { readonly id: string; readonly url: string };
  return { id, host: new URL(url).host };
}

export async function release(server: string, { id }: Held): Promise<number> {
  const answer = await fetch(`${server}/api/v1/demo/${id}`, { method: 'DELETE', signal: AbortSignal.timeout(10_000) });
  await answer.text();
  return answer.status;
}

export interface Proxy {
  readonly address: string;
  readonly port: number;
}

/** The status of its page by the proxy at that address. */
export async function open(proxy: Proxy, { host }: Held): Promise<number> {
  const asking = request({ host: proxy.address, port: proxy.port, headers: { host }, agent: false, timeout: 5_000 });
  asking.once('timeout', () => asking.destroy(new Error('no answer within 5 s')));
  asking.end();
  const [answer] = (await once(asking, 'response')) as [IncomingMessage];
  answer.resume();
  return answer.statusCode ?? 0;
}

/** A connection that stays, through the proxy to its app, which sends back what it gets. */
export class Line implements Disposable {
  readonly #socket: Duplex;

  private constructor(socket: Duplex) {
    this.#socket = socket;
    socket.on('error', () => undefined);
  }

  static async open(proxy: Proxy, { host }: Held): Promise<Line> {
    const headers = { host, connection: 'Upgrade', upgrade: 'websocket' };
    const asking = request({ host: proxy.address, port: proxy.port, headers, agent: false });
    asking.end();
    const [, socket] = (await once(asking, 'upgrade')) as [IncomingMessage, Duplex];
    return new Line(socket);
  }

  /** Rejects when it is cut. */
  async echo(word: string): Promise<string> {
    if (this.#socket.destroyed) throw new Error('the connection was cut');
    this.#socket.write(`${word}\n`);
    let heard = '';
    for await (const piece of this.#socket.iterator({ destroyOnReturn: false })) {
      heard += String(piece);
      if (heard.endsWith('\n')) return heard.trimEnd();
    }
    throw new Error('the connection was cut');
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

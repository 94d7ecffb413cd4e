import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly raw: string;
  readonly id: string;
  readonly type: string;
  readonly visit: string;
  readonly sequence: number;
  /** What it was answered with; undefined until then. */
  answered: Answer | undefined;
}

/** A status to answer with; `hang` for no answer at all. */
type Answer = number | 'hang';

interface Body {
  readonly type: string;
  readonly data: { readonly visit?: string; readonly sequence?: number };
}

/** A vendor's server: notes what it is sent, and answers as the test says. */
export class WebhookReceiver implements AsyncDisposable {
  readonly received: Received[] = [];
  answer: (received: Received) => Answer | Promise<Answer> = () => 200;
  #server: Server | undefined;
  #port = 0;

  static async start(): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver();
    await receiver.up();
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/hook`;
  }

  /** Again on the same port. */
  async up(): Promise<void> {
    const server = createServer((request, response) => void this.#handle(request, response));
    server.listen(this.#port, '127.0.0.1');
    await once(server, 'listening');
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
  }

  async down(): Promise<void> {
    this.#server?.closeAllConnections();
    this.#server?.close();
    if (this.#server !== undefined) await once(this.#server, 'close');
    this.#server = undefined;
  }

  /** What was answered with 200, of one visit or of all, as `type`s in the order they came; repeats are left out. */
  taken(visit?: string): string[] {
    const seen = new Set<string>();
    return this.received
      .filter((each) => each.answered === 200 && (visit === undefined || each.visit === visit))
      .filter(({ id }) => !seen.has(id) && seen.add(id))
      .map(({ type }) => type);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }

  async #handle(request: Parameters<typeof text>[0] & { headers: IncomingHttpHeaders }, response: ServerResponse) {
    const raw = await text(request);
    const { type, data } = JSON.parse(raw) as Body;
    const received: Received = {
      headers: request.headers,
      raw,
      id: String(request.headers['webhook-id']),
      type,
      visit: data.visit ?? '',
      sequence: data.sequence ?? 0,
      answered: undefined,
    };
    this.received.push(received);
    const answer = await this.answer(received);
    received.answered = answer;
    if (answer === 'hang') return;
    response.writeHead(answer, answer >= 300 && answer < 400 ? { location: '/elsewhere' } : {}).end();
  }
}

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP relay through which nothing passes while it is cut, either way, as in a network that drops what is sent. */
export class CuttableWire implements AsyncDisposable {
  readonly #server = createServer((socket) => this.#relay(socket));
  readonly #target: { readonly host: string; readonly port: number };
  readonly #sockets = new Set<Socket>();
  #isCut = false;

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
  }

  static async to(target: { readonly host: string; readonly port: number }): Promise<CuttableWire> {
    const wire = new CuttableWire(target);
    wire.#server.listen(0, '127.0.0.1');
    await once(wire.#server, 'listening');
    return wire;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  cut(): void {
    this.#isCut = true;
  }

  /** What was sent meanwhile is lost, and so are the connections it was sent on. */
  join(): void {
    this.#isCut = false;
    this.#hangUp();
  }

  #relay(near: Socket): void {
    const far = connect(this.#target);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => undefined);
      from.on('data', (chunk: Buffer) => {
        if (!this.#isCut) to.write(chunk);
      });
      from.on('close', () => {
        this.#sockets.delete(from);
        if (!this.#isCut) to.destroy();
      });
    }
  }

  #hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#hangUp();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

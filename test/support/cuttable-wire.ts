import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

interface Target {
  readonly host: string;
  readonly port: number;
}

/** A TCP relay through which nothing passes while it is cut, either way, as in a network that drops what is sent. */
export class CuttableWire implements AsyncDisposable {
  readonly #server = createServer((socket) => this.#relay(socket));
  #target: Target;
  readonly #sockets = new Set<Socket>();
  #isCut = false;
  #cutAfterBytes = Infinity;

  private constructor(target: Target) {
    this.#target = target;
  }

  static async to(target: Target): Promise<CuttableWire> {
    const wire = new CuttableWire(target);
    wire.#server.listen(0, '127.0.0.1');
    await once(wire.#server, 'listening');
    return wire;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** As an address that moves to another server. */
  lead(target: Target): void {
    this.#target = target;
    this.#hangUp();
  }

  cut(): void {
    this.#isCut = true;
  }

  /** By itself, in the middle of an answer: once so many bytes of them have passed. */
  cutAfter(bytes: number): void {
    this.#cutAfterBytes = bytes;
  }

  /** What was sent meanwhile is lost, and so are the connections it was sent on. */
  join(): void {
    this.#isCut = false;
    this.#cutAfterBytes = Infinity;
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
        if (from === far && (this.#cutAfterBytes -= chunk.length) < 0) this.#isCut = true;
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

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export type Direction = 'request' | 'reply';

/**
 * A TCP relay that stands still once, at a chosen message: nothing passes on that connection until it is let go, and
 * then everything that was sent meanwhile does, even when its sender has hung up since, as with a process or a network
 * that froze. Connections made after that one pass freely.
 */
export class HeldWire implements AsyncDisposable {
  readonly #server = createServer((socket) => this.#relay(socket));
  readonly #target: { readonly host: string; readonly port: number };
  readonly #sockets = new Set<Socket>();
  readonly #letGo = new AbortController();
  #at: { readonly direction: Direction; readonly nth: number } | undefined;
  #seen = 0;
  #reached: () => void = () => undefined;
  /** Resolves once it stands still. */
  readonly held = new Promise<void>((resolve) => {
    this.#reached = resolve;
  });

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
  }

  static async to(target: { readonly host: string; readonly port: number }): Promise<HeldWire> {
    const wire = new HeldWire(target);
    wire.#server.listen(0, '127.0.0.1');
    await once(wire.#server, 'listening');
    return wire;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Before the `nth` request from now on gets through, or after it was carried out and before its reply gets back. */
  holdAt(direction: Direction, nth: number): void {
    this.#at = { direction, nth };
    this.#seen = 0;
  }

  letGo(): void {
    this.#at = undefined;
    this.#letGo.abort();
  }

  #relay(near: Socket): void {
    const far = connect(this.#target);
    let held: Promise<void> | undefined;
    for (const [from, to, direction] of [
      [near, far, 'request'],
      [far, near, 'reply'],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => undefined);
      let last = Promise.resolve();
      const inTurn = (work: () => void): void => {
        last = last.then(() => held).then(work);
      };
      from.on('data', (chunk: Buffer) => {
        if (this.#at?.direction === direction && (this.#seen += 1) === this.#at.nth) {
          this.#at = undefined;
          held = this.#released();
          this.#reached();
        }
        inTurn(() => to.write(chunk));
      });
      from.on('close', () => {
        this.#sockets.delete(from);
        inTurn(() => to.end());
      });
    }
  }

  async #released(): Promise<void> {
    if (!this.#letGo.signal.aborted) await once(this.#letGo.signal, 'abort');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.letGo();
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

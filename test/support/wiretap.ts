import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Conversation, Dialect, Frame } from './wire-dialects.ts';

/**
 * `request`: on its way to the other part, which has not seen it. `reply`: the other part did it, and we do not know.
 */
export type Side = 'request' | 'reply';

export interface Trap {
  readonly side: Side;
  /** Given the wire and the exchange's name, such as `valkey claim`. */
  readonly matches: (exchange: string) => boolean;
  /** Which of those that match, from 1. */
  readonly nth: number;
  /** Killed, by SIGKILL, before anything else happens. */
  readonly pid: number;
}

export interface Passed {
  /** The wire and the exchange's name. */
  readonly exchange: string;
  /** Where a trap for it can spring. */
  readonly sides: readonly Side[];
}

const UNASKED = /^\S+ deliver /;

/** What all wires of one process are watched by: one trap at a time, and a record of what passed. */
export class Tripwire {
  #trap: { readonly trap: Trap; met: number; readonly sprung: (exchange: string) => void } | undefined;
  #record: Passed[] | undefined;

  /**
   * Resolves with the exchange at which it sprang; never when it is not met. A trap that was
   * armed before is taken away.
   */
  arm(trap: Trap): Promise<string> {
    return new Promise((resolve) => {
      this.#trap = { trap, met: 0, sprung: resolve };
    });
  }

  disarm(): void {
    this.#trap = undefined;
  }

  /**
   * Returns how to stop, which answers with the exchanges that passed meanwhile, in their order, each where it began.
   */
  record(): () => readonly Passed[] {
    const record: Passed[] = [];
    this.#record = record;
    return () => {
      if (this.#record === record) this.#record = undefined;
      return record;
    };
  }

  /** False: it must not go any further. */
  passes(side: Side, exchange: string): boolean {
    // What a part sends of its own accord begins with it.
    if (side === 'request' || UNASKED.test(exchange))
      this.#record?.push({ exchange, sides: side === 'request' ? ['request', 'reply'] : ['reply'] });
    const armed = this.#trap;
    if (armed === undefined || armed.trap.side !== side || !armed.trap.matches(exchange)) return true;
    armed.met += 1;
    if (armed.met < armed.trap.nth) return true;
    this.#trap = undefined;
    process.kill(armed.trap.pid, 'SIGKILL');
    armed.sprung(exchange);
    return false;
  }
}

export type Endpoint = { readonly port: number } | { readonly path: string };

export interface WiretapOptions {
  /** Stands before the exchanges' names. */
  readonly wire: string;
  readonly dialect: Dialect;
  readonly tripwire: Tripwire;
  readonly listen: Endpoint;
  readonly target: Endpoint;
}

/** A proxy for one part, which the process under test is given as that part's address. */
export class Wiretap implements AsyncDisposable {
  readonly #options: WiretapOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(options: WiretapOptions) {
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#join(client));
  }

  static async start(options: WiretapOptions): Promise<Wiretap> {
    const tap = new Wiretap(options);
    const { listen } = options;
    tap.#server.listen('port' in listen ? { port: listen.port, host: '127.0.0.1' } : { path: listen.path });
    await once(tap.#server, 'listening');
    return tap;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  #join(client: Socket): void {
    const { target, dialect } = this.#options;
    const part = connect({
      ...('port' in target ? { port: target.port, host: '127.0.0.1' } : { path: target.path }),
      allowHalfOpen: true,
    });
    const conversation: Conversation = dialect();
    const both = [client, part] as const;
    for (const socket of both) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        for (const other of both) other.destroySoon();
      });
    }
    this.#relay(client, part, 'request', (chunk) => conversation.requests(chunk));
    this.#relay(part, client, 'reply', (chunk) => conversation.replies(chunk));
  }

  #relay(from: Socket, to: Socket, side: Side, frames: (chunk: Buffer) => Frame[]): void {
    const { wire, tripwire } = this.#options;
    from.on('data', (chunk: Buffer) => {
      for (const { bytes, name } of frames(chunk)) {
        if (name !== undefined && !tripwire.passes(side, `${wire} ${name}`)) {
          // What came before is sent still; this and what follows never existed.
          if (side === 'request') to.end();
          else from.destroy();
          from.removeAllListeners('data');
          return;
        }
        if (!to.write(bytes) && !from.isPaused()) {
          from.pause();
          to.once('drain', () => from.resume());
        }
      }
    });
    from.once('end', () => to.end());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    const { listen } = this.#options;
    if ('path' in listen) await rm(listen.path, { force: true });
  }
}

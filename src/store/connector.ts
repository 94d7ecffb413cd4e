import { createConnection, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { AbstractConnector, type RedisOptions } from 'iovalkey';
import { atDeadline } from '../lifecycle/deadline.ts';
import { sleep } from '../lifecycle/sleep.ts';
import type { Endpoint, ValkeyTls } from './valkey-access.ts';

export interface ConnectorOptions {
  /** Where to connect to at this moment. */
  readonly locate: () => Promise<Endpoint>;
  readonly tls: ValkeyTls | undefined;
  /** How long TLS may take to begin. */
  readonly handshakeMs: number;
  /** When to try again to locate it; null: not at all. */
  readonly retryStrategy: (attempt: number) => number | null;
  /** Whether what says that it is a replica is left at once. */
  readonly wantsPrimary: boolean;
}

const DISCONNECT_TIMEOUT_MS = 2_000;

/** What has a client make its connections this way. Whether it waits for TLS to begin, it reads off `tls`. */
export function connectionOptions(options: ConnectorOptions): Pick<RedisOptions, 'Connector' | 'tls'> {
  return {
    Connector: class extends ValkeyConnector {
      constructor() {
        super(options);
      }
    },
    ...(options.tls === undefined ? {} : { tls: {} }),
  };
}

/** Makes the connections of a client, to wherever its server is at that moment. */
class ValkeyConnector extends AbstractConnector {
  readonly #options: ConnectorOptions;
  #gaveUp = new AbortController();

  constructor(options: ConnectorOptions) {
    super(DISCONNECT_TIMEOUT_MS);
    this.#options = options;
  }

  override check(info: { readonly role?: string }): boolean {
    return !this.#options.wantsPrimary || info.role === undefined || info.role === 'master';
  }

  override disconnect(): void {
    this.#gaveUp.abort();
    super.disconnect();
  }

  override async connect(emit: (type: string, error: Error) => void): Promise<Socket | TLSSocket> {
    this.connecting = true;
    this.#gaveUp = new AbortController();
    const { signal } = this.#gaveUp;
    const endpoint = await this.#locate(emit, signal);
    if (signal.aborted) throw new Error('Connection is closed.');
    const stream = this.#open(endpoint);
    stream.once('error', (error: Error) => {
      this.firstError = error;
    });
    this.stream = stream;
    return stream;
  }

  /** The client takes a rejection for the end, so what may be tried again is tried here. */
  async #locate(emit: (type: string, error: Error) => void, signal: AbortSignal): Promise<Endpoint> {
    const { locate, retryStrategy } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await locate();
      } catch (error) {
        const delayMs = signal.aborted ? null : retryStrategy(attempt);
        if (delayMs === null) throw error;
        emit('error', error as Error);
        await sleep(delayMs, signal);
      }
    }
  }

  #open({ host, port }: Endpoint): Socket | TLSSocket {
    const { tls, handshakeMs } = this.#options;
    if (tls === undefined) return createConnection({ host, port });
    const stream = connectTls({ ...tls, host, port });
    stream.once('connect', () => {
      const done = atDeadline(handshakeMs, () => stream.destroy(new TlsSilence()));
      stream.once('secureConnect', done).once('close', done);
    });
    return stream;
  }
}

/** What listens took the connection and lets the first message of TLS wait, as a Valkey in clear text does. */
class TlsSilence extends Error {
  readonly code = 'TLS_SILENCE';

  constructor() {
    super('TLS was begun and not answered');
  }
}

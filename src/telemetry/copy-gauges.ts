import { Gauge, type Registry } from 'prom-client';

/** Of one stream in a cluster of NATS. */
export interface StreamCopies {
  readonly stream: string;
  readonly isLed: boolean;
  /** Undefined: nobody could say. */
  readonly areConsumersLed: boolean | undefined;
  /** How many servers less have all of it than should; undefined: nobody could say. */
  readonly missing: number | undefined;
}

/** How a cluster of NATS keeps the streams; absent where NATS is a lone server. */
export class CopyGauges {
  readonly #led: Gauge<'stream' | 'of'>;
  readonly #missing: Gauge<'stream'>;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#led = new Gauge({
      name: 'try_it_now_queue_leader',
      help:
        'Whether a server of the NATS cluster leads the stream (of="stream"), and each of its consumers ' +
        '(of="consumers"): 1 yes, 0 no, so that nothing is taken or handed out. Absent without a cluster.',
      labelNames: ['stream', 'of'],
      registers,
    });
    this.#missing = new Gauge({
      name: 'try_it_now_queue_copies_missing',
      help: 'How many servers less have all of the stream than are set on it. Absent without a cluster.',
      labelNames: ['stream'],
      registers,
    });
  }

  set(copies: readonly StreamCopies[] | undefined): void {
    this.#led.reset();
    this.#missing.reset();
    for (const { stream, isLed, areConsumersLed, missing } of copies ?? []) {
      this.#led.set({ stream, of: 'stream' }, isLed ? 1 : 0);
      if (areConsumersLed !== undefined) this.#led.set({ stream, of: 'consumers' }, areConsumersLed ? 1 : 0);
      if (missing !== undefined) this.#missing.set({ stream }, missing);
    }
  }
}

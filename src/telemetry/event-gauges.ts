import { Gauge, type Registry } from 'prom-client';

export interface EventDepths {
  /** Changes of visits that NATS does not have yet. */
  readonly waiting: number;
  readonly oldestAgeMs: number;
  readonly dropped: number;
  /** What each webhook never hears of, ever. */
  readonly lost: ReadonlyMap<string, number>;
  readonly webhooks: ReadonlyMap<string, { readonly pending: number; readonly dead: number }>;
}

/** How far events of visits have come; absent where there are no webhooks. */
export class EventGauges {
  readonly #waiting: Gauge;
  readonly #oldest: Gauge;
  readonly #dropped: Gauge;
  readonly #pending: Gauge<'webhook'>;
  readonly #dead: Gauge<'webhook'>;
  readonly #lost: Gauge<'webhook'>;

  constructor(registry: Registry) {
    const registers = [registry];
    const plain = (name: string, help: string): Gauge => {
      const gauge = new Gauge({ name, help, registers });
      gauge.remove();
      return gauge;
    };
    this.#waiting = plain('try_it_now_event_outbox_waiting', 'Changes of visits that NATS does not have yet.');
    this.#oldest = plain(
      'try_it_now_event_outbox_oldest_age_seconds',
      'Age of the oldest change of a visit that NATS does not have yet, in seconds; 0 while there is none.',
    );
    this.#dropped = plain(
      'try_it_now_events_dropped',
      'Events of visits that were dropped, ever, because NATS was away for too long.',
    );
    this.#pending = new Gauge({
      name: 'try_it_now_webhook_pending',
      help: 'Events that a webhook has not had.',
      labelNames: ['webhook'],
      registers,
    });
    this.#dead = new Gauge({
      name: 'try_it_now_webhook_dead',
      help: 'Events that a webhook did not take for too long, kept to be delivered again.',
      labelNames: ['webhook'],
      registers,
    });
    this.#lost = new Gauge({
      name: 'try_it_now_webhook_lost',
      help: 'Events that were discarded, ever, before a webhook had them: there were too many, or they were too old.',
      labelNames: ['webhook'],
      registers,
    });
  }

  set(depths: EventDepths | undefined): void {
    this.#pending.reset();
    this.#dead.reset();
    this.#lost.reset();
    if (depths === undefined) {
      for (const gauge of [this.#waiting, this.#oldest, this.#dropped]) gauge.remove();
      return;
    }
    this.#waiting.set(depths.waiting);
    this.#oldest.set(depths.oldestAgeMs / 1000);
    this.#dropped.set(depths.dropped);
    for (const [webhook, count] of depths.lost) this.#lost.set({ webhook }, count);
    for (const [webhook, { pending, dead }] of depths.webhooks) {
      this.#pending.set({ webhook }, pending);
      this.#dead.set({ webhook }, dead);
    }
  }
}

import { Gauge, type Registry } from 'prom-client';

export interface ReplicationFigures {
  /** How many Sentinels are configured. */
  readonly sentinels: number;
  /** Of each replica that is sent each change: since it was last heard of. */
  readonly lagsMs: readonly number[];
}

/** What could take the place of Valkey; absent while Valkey does not answer. */
export class ReplicationGauges {
  readonly #sentinels: Gauge;
  readonly #replicas: Gauge;
  readonly #lag: Gauge;

  constructor(registry: Registry) {
    const plain = (name: string, help: string): Gauge => {
      const gauge = new Gauge({ name, help, registers: [registry] });
      gauge.remove();
      return gauge;
    };
    this.#sentinels = plain('try_it_now_valkey_sentinels', 'Sentinels that VALKEY_URL names; 0 for a single Valkey.');
    this.#replicas = plain('try_it_now_valkey_replicas', 'Replicas that are sent each change by the primary.');
    this.#lag = plain(
      'try_it_now_valkey_replica_lag_seconds',
      'How long the primary has not heard of the replica that is furthest behind, in seconds; absent without one.',
    );
  }

  set(figures: ReplicationFigures | undefined): void {
    for (const gauge of [this.#sentinels, this.#replicas, this.#lag]) gauge.remove();
    if (figures === undefined) return;
    const { sentinels, lagsMs } = figures;
    this.#sentinels.set(sentinels);
    this.#replicas.set(lagsMs.length);
    if (lagsMs.length > 0) this.#lag.set(Math.max(...lagsMs) / 1_000);
  }
}

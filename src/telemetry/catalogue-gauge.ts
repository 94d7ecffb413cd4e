import { Gauge, type Registry } from 'prom-client';

/** Whether all processes go by the same templates. */
export class CatalogueGauge {
  readonly #revisions: Gauge;

  constructor(registry: Registry) {
    this.#revisions = new Gauge({
      name: 'try_it_now_catalogue_revisions',
      help:
        'How many different catalogues of templates the servers and workers that run go by; 1 when all have the ' +
        'same.',
      registers: [registry],
    });
  }

  set(revisions: ReadonlySet<string> | undefined): void {
    if (revisions === undefined) this.#revisions.remove();
    else this.#revisions.set(revisions.size);
  }
}

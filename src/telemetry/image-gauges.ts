import { Gauge, type Registry } from 'prom-client';

/** Of images that are tried before they go to visitors. */
export class ImageGauges {
  readonly #refused: Gauge<'image'>;

  constructor(registry: Registry) {
    this.#refused = new Gauge({
      name: 'try_it_now_image_refused',
      help: 'Whether the newest image under the name failed its trial, and visitors get the one before: 1 yes, 0 no.',
      labelNames: ['image'],
      registers: [registry],
    });
  }

  set(refused: ReadonlyMap<string, boolean> | undefined): void {
    this.#refused.reset();
    for (const [image, is] of refused ?? []) this.#refused.set({ image }, is ? 1 : 0);
  }
}

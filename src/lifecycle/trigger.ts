/**
 * A request that can be handed out before there is anyone to carry it out. Firing it calls everyone who has
 * subscribed by then; nothing is kept for those who subscribe later, so what they do must begin with what they might
 * have missed.
 */
export class Trigger {
  readonly #subscribers: (() => void)[] = [];

  subscribe(onFire: () => void): void {
    this.#subscribers.push(onFire);
  }

  fire(): void {
    for (const onFire of this.#subscribers) onFire();
  }
}

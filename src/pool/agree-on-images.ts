import { isByDigest, type ImagePin } from '../domain/image-pin.ts';
import { isTriedFirst, watchedImages } from '../domain/image-update.ts';
import type { Log } from '../domain/log.ts';
import { containerTemplates, type Catalogue, type Template } from '../domain/template.ts';
import type { ContainerRuntime } from './interfaces/container-runtime.ts';
import type { ImagePins } from './interfaces/image-pins.ts';

export interface ImageAgreementDeps {
  readonly catalogue: Catalogue;
  readonly runtime: Pick<ContainerRuntime, 'foundImages'>;
  readonly pins: ImagePins;
  /** Whether this process has a name stand for what it does on its node; others go by that. */
  readonly decides: () => Promise<boolean>;
  /** What the engine goes by. */
  readonly pinned: Map<string, ImagePin>;
  readonly log: Log;
}

/**
 * Has the images of the templates be the same on every node: a tag that moves, in a registry or on one host alone,
 * leads nobody to something else until a server's node has it, and then all.
 */
export class ImageAgreement {
  readonly #deps: ImageAgreementDeps;

  constructor(deps: ImageAgreementDeps) {
    this.#deps = deps;
  }

  /** Throws store_unavailable. */
  decides(): Promise<boolean> {
    return this.#deps.decides();
  }

  /** For the templates on offer, without others. Throws store_unavailable, engine_unavailable. */
  async settle(templates: readonly Template[] = this.#deps.catalogue.all()): Promise<void> {
    const { runtime, pins, pinned } = this.#deps;
    const images = templates.flatMap(containerTemplates).map(({ image }) => image);
    const names = [...new Set(images)].filter((name) => !isByDigest(name));
    const found = (await runtime.foundImages?.(names)) ?? [];
    const agreed = new Map(await pins.of(names));
    const decides = await this.#deps.decides();
    const triedFirst = new Set(
      watchedImages(templates)
        .filter(isTriedFirst)
        .map(({ name }) => name),
    );
    for (const each of found) {
      // Whoever tries it has the name stand for it then.
      if (triedFirst.has(each.name) && agreed.has(each.name)) continue;
      const pin = await pins.agree(each, { decides, triedFirst: triedFirst.has(each.name) });
      if (pin !== undefined) agreed.set(each.name, pin);
    }
    if (decides) await pins.keep(names);
    for (const name of names) this.#goBy(name, agreed.get(name), pinned.get(name));
  }

  #goBy(name: string, pin: ImagePin | undefined, before: ImagePin | undefined): void {
    const { pinned, log } = this.#deps;
    if (pin === undefined) {
      pinned.delete(name);
      return;
    }
    pinned.set(name, pin);
    if (before === undefined || before.id === pin.id) return;
    const { id, digest, node } = pin;
    log.info({ image: name, id, digest, before: before.id, node }, 'An image has moved; instances of it are replaced');
  }
}

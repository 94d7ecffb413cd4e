import type { FastifyRequest } from 'fastify';
import type { Languages } from '../presentation/languages/languages.ts';
import type { Translator } from '../presentation/languages/translator.ts';
import type { AssetUrls } from './assets.ts';

/** What each page needs besides its own content. */
export interface Presentation {
  readonly t: Translator;
  readonly assets: AssetUrls;
}

/** What the pages for one browser look like. */
export class Presentations {
  readonly #languages: Languages;
  readonly #assets: AssetUrls;

  constructor(languages: Languages, assets: AssetUrls) {
    this.#languages = languages;
    this.#assets = assets;
  }

  for(request: FastifyRequest): Presentation {
    return { t: this.#languages.accepted(request.headers['accept-language']), assets: this.#assets };
  }
}

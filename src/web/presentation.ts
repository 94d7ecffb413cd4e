import type { FastifyRequest } from 'fastify';
import type { Branding } from '../presentation/branding.ts';
import type { Languages } from '../presentation/languages/languages.ts';
import type { Translator } from '../presentation/languages/translator.ts';
import type { AssetUrls } from './assets.ts';

/** What each page needs besides its own content. */
export interface Presentation {
  readonly t: Translator;
  readonly branding: Branding;
  readonly assets: AssetUrls;
}

/** What the pages for one browser look like. */
export class Presentations {
  readonly #languages: Languages;
  readonly #branding: Branding;
  readonly #assets: AssetUrls;

  constructor(languages: Languages, branding: Branding, assets: AssetUrls) {
    this.#languages = languages;
    this.#branding = branding;
    this.#assets = assets;
  }

  for(request: FastifyRequest): Presentation {
    return {
      t: this.#languages.accepted(request.headers['accept-language']),
      branding: this.#branding,
      assets: this.#assets,
    };
  }
}

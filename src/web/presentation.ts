import type { FastifyRequest } from 'fastify';
import type { Branding } from '../presentation/branding.ts';
import type { Languages } from '../presentation/languages/languages.ts';
import type { Translator } from '../presentation/languages/translator.ts';
import type { AssetUrls } from './assets.ts';
import { field } from './fields.ts';

/** Longer than any language tag that means something. */
const MAX_TAG_LENGTH = 100;

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

  /** A page of another site asks for its own language (`lang` in the query), whatever the browser prefers. */
  for(request: FastifyRequest): Presentation {
    return this.in(field(request.query, 'lang')?.slice(0, MAX_TAG_LENGTH) ?? request.headers['accept-language']);
  }

  /** `accepted`: as Accept-Language has it. */
  in(accepted: string | undefined): Presentation {
    return { t: this.#languages.accepted(accepted), branding: this.#branding, assets: this.#assets };
  }

  /** For what is made once, for all browsers. */
  get all(): { readonly translators: readonly Translator[]; readonly branding: Branding } {
    return { translators: this.#languages.all, branding: this.#branding };
  }
}

import type { FastifyRequest } from 'fastify';
import { brandFor, type Brand, type Branding, type Logo } from '../presentation/branding.ts';
import type { Languages } from '../presentation/languages/languages.ts';
import type { Translator } from '../presentation/languages/translator.ts';
import type { Assets, AssetUrls } from './assets.ts';
import { field } from '../http/field.ts';

/** Longer than any language tag that means something. */
const MAX_TAG_LENGTH = 100;

/** What each page needs besides its own content. */
export interface Presentation {
  readonly t: Translator;
  readonly brand: Brand;
  readonly assets: AssetUrls;
}

/** What the pages for one browser look like. */
export class Presentations {
  readonly #languages: Languages;
  readonly #branding: Branding;
  readonly #assets: Assets;

  constructor(languages: Languages, branding: Branding, assets: Assets) {
    this.#languages = languages;
    this.#branding = branding;
    this.#assets = assets;
  }

  /**
   * A page of another site asks for its own language (`lang` in the query), whatever the browser prefers. `template`:
   * what the page is about; without it, what the request's address names.
   */
  for(request: FastifyRequest, template = templateIn(request)): Presentation {
    const wanted = field(request.query, 'lang')?.slice(0, MAX_TAG_LENGTH) ?? request.headers['accept-language'];
    return this.in(wanted, template);
  }

  /** `accepted`: as Accept-Language has it. */
  in(accepted: string | undefined, template?: string): Presentation {
    const brand = brandFor(this.#branding, template);
    return { t: this.#languages.accepted(accepted), brand, assets: this.#assets.urlsFor(brand) };
  }

  /** For what is made once, for all browsers. */
  get all(): { readonly translators: readonly Translator[]; readonly branding: Branding } {
    return { translators: this.#languages.all, branding: this.#branding };
  }

  /** Undefined where the template has none but that of the whole site. */
  ownLogo(template: string): Logo | undefined {
    const { logo } = brandFor(this.#branding, template);
    return logo === this.#branding.logo ? undefined : logo;
  }
}

function templateIn({ params }: FastifyRequest): string | undefined {
  const named = (params as { readonly template?: unknown } | null)?.template;
  return typeof named === 'string' ? named : undefined;
}

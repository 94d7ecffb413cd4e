import { de } from './de.ts';
import { en } from './en.ts';
import { Translator, type Language } from './translator.ts';

/** What comes with the product. The first is for whoever asks for none that there is. */
export const BUILT_IN_LANGUAGES: readonly [Language, ...Language[]] = [
  { tag: 'en', messages: en },
  { tag: 'de', messages: de },
];

/** The languages that pages can be had in. */
export class Languages {
  readonly all: readonly [Translator, ...Translator[]];

  constructor([first, ...others]: readonly [Language, ...Language[]] = BUILT_IN_LANGUAGES) {
    this.all = [new Translator(first), ...others.map((language) => new Translator(language))];
  }

  /** The one that a browser likes best, by its Accept-Language. */
  accepted(header: string | undefined): Translator {
    for (const wanted of preferences(header ?? '')) {
      const found =
        this.#find((tag) => tag === wanted) ??
        this.#find((tag) => wanted.startsWith(`${tag}-`)) ??
        this.#find((tag) => tag.startsWith(`${wanted}-`));
      if (found !== undefined) return found;
    }
    return this.all[0];
  }

  #find(matches: (tag: string) => boolean): Translator | undefined {
    return this.all.find(({ tag }) => matches(tag.toLowerCase()));
  }
}

/** The language ranges of an Accept-Language, the best liked first. */
function preferences(header: string): string[] {
  return header
    .split(',')
    .map((entry) => {
      const [range = '', ...parameters] = entry.split(';').map((part) => part.trim().toLowerCase());
      const quality = parameters.find((parameter) => parameter.startsWith('q='));
      return { range, quality: quality === undefined ? 1 : Number(quality.slice(2)) };
    })
    .filter(({ range, quality }) => range !== '' && quality > 0)
    .sort((one, other) => other.quality - one.quality)
    .map(({ range }) => range);
}

import Negotiator from 'negotiator';
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

  /** The one that a browser likes best, by its Accept-Language. The proxy finds the same for its pages. */
  accepted(header: string | undefined): Translator {
    const negotiator = new Negotiator({ headers: header === undefined ? {} : { 'accept-language': header } });
    for (const wanted of negotiator.languages()) {
      const found = this.#closest(`${wanted.toLowerCase()}-`);
      if (found !== undefined) return found;
    }
    return this.all[0];
  }

  /** Of those that a tag belongs to, as de-CH does to de, the longest; else the first that belongs to it. */
  #closest(wanted: string): Translator | undefined {
    const tagOf = (t: Translator): string => `${t.tag.toLowerCase()}-`;
    const [longest] = this.all
      .filter((t) => wanted.startsWith(tagOf(t)))
      .sort((one, other) => other.tag.length - one.tag.length);
    return longest ?? this.all.find((t) => tagOf(t).startsWith(wanted));
  }
}

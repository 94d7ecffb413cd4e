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

  /** The one that a browser likes best, by its Accept-Language. */
  accepted(header: string | undefined): Translator {
    const negotiator = new Negotiator({ headers: header === undefined ? {} : { 'accept-language': header } });
    const best = negotiator.language(this.all.map(({ tag }) => tag));
    return this.all.find(({ tag }) => tag === best) ?? this.all[0];
  }
}

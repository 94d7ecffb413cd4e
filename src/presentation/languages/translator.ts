import { html, type Html } from '../html.ts';
import type { ArgumentsOf, Message, MessageKey, Messages } from './messages.ts';

/** Scripts that are written from right to left, of the languages that have living readers. */
const RIGHT_TO_LEFT = new Set(['Adlm', 'Arab', 'Hebr', 'Mand', 'Mend', 'Nkoo', 'Rohg', 'Samr', 'Syrc', 'Thaa', 'Yezi']);

/** A language, as a catalogue of texts under its BCP 47 tag. */
export interface Language {
  readonly tag: string;
  readonly messages: Messages;
  /** Which of the texts are English, for want of others. */
  readonly inEnglish?: ReadonlySet<MessageKey>;
}

const ENGLISH_PLURALS = new Intl.PluralRules('en');

/** The texts of one language, and what numbers and times look like in it. */
export class Translator {
  readonly tag: string;
  readonly direction: 'ltr' | 'rtl';
  readonly #messages: Messages;
  readonly #inEnglish: ReadonlySet<MessageKey>;
  readonly #plurals: Intl.PluralRules;
  readonly #numbers: Intl.NumberFormat;

  constructor({ tag, messages, inEnglish = new Set() }: Language) {
    this.tag = tag;
    this.direction = RIGHT_TO_LEFT.has(new Intl.Locale(tag).maximize().script ?? '') ? 'rtl' : 'ltr';
    this.#messages = messages;
    this.#inEnglish = inEnglish;
    this.#plurals = new Intl.PluralRules(tag);
    this.#numbers = new Intl.NumberFormat(tag);
  }

  /** As plain text, for a title, an attribute or a JSON answer. */
  text<Key extends MessageKey>(key: Key, ...[values]: ArgumentsOf<Key, string | number>): string {
    return this.#parts(key, values)
      .map((part) => String(part))
      .join('');
  }

  /** As HTML: the text and its plain values are escaped, and values that are HTML stay what they are. */
  html<Key extends MessageKey>(key: Key, ...[values]: ArgumentsOf<Key, Html | string | number>): Html {
    return html`${this.#parts(key, values).map((part) => html`${part}`)}`;
  }

  /** How long something lasts. Rounded up, so that "1 min" never means "just over". */
  duration(seconds: number, display: 'short' | 'long' = 'short'): string {
    const unit = (value: number, name: 'second' | 'minute' | 'hour') =>
      new Intl.NumberFormat(this.tag, { style: 'unit', unit: name, unitDisplay: display }).format(value);
    if (seconds < 120) return unit(seconds, 'second');
    const minutes = Math.ceil(seconds / 60);
    if (minutes < 60) return unit(minutes, 'minute');
    const hours = unit(Math.floor(minutes / 60), 'hour');
    if (minutes % 60 === 0) return hours;
    return new Intl.ListFormat(this.tag, { type: 'unit', style: 'narrow' }).format([
      hours,
      unit(minutes % 60, 'minute'),
    ]);
  }

  /** The text between placeholders and the values in their place, in the order of the language. */
  #parts<Value>(key: MessageKey, values: Readonly<Record<string, Value>> = {}): (string | Value)[] {
    return this.#pattern(key, values)
      .split(/\{(\w+)\}/)
      .map((part, index) => {
        if (index % 2 === 0) return part;
        const value = values[part];
        if (value === undefined) return `{${part}}`;
        return typeof value === 'number' ? this.#numbers.format(value) : value;
      });
  }

  #pattern(key: MessageKey, { count }: Readonly<Record<string, unknown>>): string {
    const message: Message = this.#messages[key];
    if (typeof message === 'string') return message;
    const plurals = this.#inEnglish.has(key) ? ENGLISH_PLURALS : this.#plurals;
    return (typeof count === 'number' ? message[plurals.select(count)] : undefined) ?? message.other;
  }
}

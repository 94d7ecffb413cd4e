import type { en } from './en.ts';

/** The name of a text. A page that asks for one there is not does not compile. */
export type MessageKey = keyof typeof en;

/** By the plural categories of the language (CLDR, as `Intl.PluralRules` names them). */
type PluralForms = Readonly<Partial<Record<Intl.LDMLPluralRule, string>>> & { readonly other: string };
export type Message = string | PluralForms;

/** A complete catalogue. */
export type Messages = {
  readonly [Key in MessageKey]: (typeof en)[Key] extends string ? string : PluralForms;
};

type Pattern<Key extends MessageKey> = (typeof en)[Key] extends infer Text
  ? Text extends { readonly other: infer Other }
    ? Other
    : Text
  : never;
type Names<Text> = Text extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;

/** What a text needs besides its key: nothing, or a value for each of its placeholders. */
export type ArgumentsOf<Key extends MessageKey, Value> = [Names<Pattern<Key>>] extends [never]
  ? []
  : [values: Readonly<Record<Names<Pattern<Key>>, Value>>];

import { ParseError, duration } from '../config/parsers.ts';
import { TryItNowError } from '../domain/errors.ts';

/** What a form sent, besides the token. */
export type Fields = Readonly<Record<string, string>>;

export function reasonOf({ reason = '' }: Fields): object {
  return reason.trim() === '' ? {} : { reason: reason.trim() };
}

/** Throws invalid_request. */
export function ruleOf(fields: Fields): object {
  const length = fields['for'] ?? '';
  return { ...seconds('for_seconds', length === '' ? '7d' : length, ['1m', '366d', '7d']), ...reasonOf(fields) };
}

/** None for an empty text. Throws invalid_request. */
export function seconds(
  name: string,
  text: string | undefined,
  [least, most, example]: Parameters<typeof duration>,
): object {
  if (text === undefined || text.trim() === '') return {};
  const kind = duration(least, most, example);
  const value = kind.parse(text.trim());
  if (value instanceof ParseError)
    throw new TryItNowError(
      'invalid_request',
      `The time is ${JSON.stringify(text.slice(0, 40))}; it must be ${kind.expects}`,
    );
  return { [name]: Math.ceil(value / 1_000) };
}

/** Throws invalid_request. */
export function targetOf(text: string): number | null {
  return text.trim() === '' ? null : wholeNumber('The target', text);
}

/** Throws invalid_request. */
export function wholeNumber(what: string, text: string): number {
  if (/^\d{1,5}$/.test(text.trim())) return Number(text);
  throw new TryItNowError(
    'invalid_request',
    `${what} is ${JSON.stringify(text.slice(0, 40))}; it must be a whole number`,
  );
}

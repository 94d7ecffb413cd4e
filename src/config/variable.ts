import type { Parser } from './parsers.ts';

/** One environment variable: parsing, error messages and docs/reference/config.md all come from here. */
export interface Variable<T> {
  readonly parser: Parser<T>;
  readonly group: string;
  /** As it would be written in the environment. */
  readonly default: string | undefined;
  /** Instead of `default` on the reference page, where the value is taken from elsewhere. */
  readonly otherwise: string | undefined;
  readonly about: string;
  /** Never shown; may also come from the file named by <NAME>_FILE. */
  readonly secret: boolean;
}

/** One that always has a value. */
export interface Defaulted<T> extends Variable<T> {
  readonly default: string;
}

/** How variables of a section of the reference page are described. */
export function group(name: string) {
  return {
    required: <T>(parser: Parser<T>, fallback: string, about: string): Defaulted<T> => ({
      parser,
      group: name,
      default: fallback,
      otherwise: undefined,
      about,
      secret: false,
    }),
    optional: <T>(parser: Parser<T>, otherwise: string, about: string): Variable<T> => ({
      parser,
      group: name,
      default: undefined,
      otherwise,
      about,
      secret: false,
    }),
    secret: <T>(parser: Parser<T>, otherwise: string, about: string): Variable<T> => ({
      parser,
      group: name,
      default: undefined,
      otherwise,
      about,
      secret: true,
    }),
  };
}

import type { Json } from './json.ts';

/** Where the language that a browser wants stands, as a placeholder of Caddy's. */
const CHOSEN = '{try_it_now.language}';
/** How many entries of an Accept-Language are looked at; browsers send up to about ten. */
const ENTRIES = 10;

type JsonObject = Readonly<Record<string, Json>>;

/**
 * Finds the first language of an Accept-Language that there is. Caddy knows no quality values, but browsers send their
 * languages with the best liked first. It is looked up only when a matcher asks for it.
 */
export function languageChoice(tags: readonly [string, ...string[]]): JsonObject {
  return {
    handler: 'map',
    source: '{http.request.header.Accept-Language}',
    destinations: [CHOSEN],
    mappings: Array.from({ length: ENTRIES }, (_, entry) =>
      tags.map((tag) => ({
        input_regexp: `(?i)^(?:[^,]*,){${entry}}\\s*${tag}\\s*(?:[-;,]|$)`,
        outputs: [tag],
      })),
    ).flat(),
    defaults: [tags[0]],
  };
}

export function languageIs(tag: string): JsonObject {
  return { vars: { [CHOSEN]: [tag] } };
}

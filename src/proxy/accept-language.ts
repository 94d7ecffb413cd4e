import { widerTags } from '../presentation/languages/wider-tags.ts';
import type { Json } from './json.ts';

/** Where the language that a browser wants stands, as a placeholder of Caddy's. */
export const LANGUAGE = '{try_it_now.language}';
/** How many entries of an Accept-Language are looked at; browsers send up to about ten. */
const ENTRIES = 10;

type JsonObject = Readonly<Record<string, Json>>;

/**
 * Finds the first language of an Accept-Language that there is, as `Languages` does for the start page. Caddy knows no
 * quality values, but browsers send their languages with the best liked first. It is looked up only when a matcher
 * asks for it.
 */
export function languageChoice(tags: readonly [string, ...string[]]): JsonObject {
  return {
    handler: 'map',
    source: '{http.request.header.Accept-Language}',
    destinations: [LANGUAGE],
    mappings: Array.from({ length: ENTRIES }, (_, entry) =>
      wanted(tags).map(([pattern, tag]) => ({
        input_regexp: `(?i)^(?:[^,]*,){${entry}}\\s*${pattern}`,
        outputs: [tag],
      })),
    ).flat(),
    defaults: [tags[0]],
  };
}

/** What an entry may ask for, and gets: the longest tag that it belongs to, else the first that belongs to it. */
function wanted(tags: readonly string[]): (readonly [pattern: string, tag: string])[] {
  const closest = [...tags].sort((one, other) => other.length - one.length);
  return [
    ...closest.map((tag) => [`${tag}\\s*(?:[-;,]|$)`, tag] as const),
    ...widerTags(tags).map(([wider, tag]) => [`${wider}\\s*(?:[;,]|$)`, tag] as const),
  ];
}

export function languageIs(tag: string): JsonObject {
  return { vars: { [LANGUAGE]: [tag] } };
}

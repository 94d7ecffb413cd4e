import { isDeepStrictEqual } from 'node:util';
import { LANGUAGE } from './accept-language.ts';
import type { Json } from './json.ts';

type JsonObject = Readonly<Record<string, Json>>;

/**
 * Of a page's body, what does something: values of the request that Caddy fills in, where links and refreshes lead,
 * what it fetches (the start page serves no logo of before), and the code that programs go by. Its script is in its
 * headers, by a hash. All else of it are words and looks.
 */
const ACTS = /(?<!\\)\{[^{}]*\}|\b(?:href|src)="[^"]*"|\bhttp-equiv="[^"]*" content="[^"]*"|"code":"[^"]*"/g;

/**
 * A server of Caddy's without what is only shown: the words of our own pages, and which languages they are in. Two that
 * are equal by this treat every request alike, headers and all; whatever is not known counts as routing.
 */
export function whatRoutes(config: Json): Json {
  if (Array.isArray(config)) return config.map((each: Json) => whatRoutes(each)).filter(isFirstOfLanguages);
  if (!isObject(config)) return config;
  return Object.fromEntries(
    Object.entries(config).map(([name, value]) => [name, isShown(config, name) ? acts(value) : whatRoutes(value)]),
  );
}

function isObject(config: Json | undefined): config is JsonObject {
  return typeof config === 'object' && config !== null && !Array.isArray(config);
}

function isShown({ handler, destinations }: JsonObject, name: string): boolean {
  if (name === LANGUAGE) return true;
  if (handler === 'static_response') return name === 'body';
  const isChoice = handler === 'map' && isDeepStrictEqual(destinations, [LANGUAGE]);
  return isChoice && (name === 'mappings' || name === 'defaults');
}

/** Of what is not a text, nothing: which language it is, and by what it is chosen. */
function acts(value: Json): Json {
  return typeof value === 'string' ? [...(value.match(ACTS) ?? [])] : null;
}

/** Of routes that differ in their language alone, the first stands for all, however many there are. */
function isFirstOfLanguages(route: Json, at: number, routes: readonly Json[]): boolean {
  return at === 0 || !isOfLanguage(route) || !isDeepStrictEqual(route, routes[at - 1]);
}

function isOfLanguage(route: Json): boolean {
  if (!isObject(route) || !Array.isArray(route['match'])) return false;
  return route['match'].some((matcher: Json) => {
    const vars = isObject(matcher) ? matcher['vars'] : undefined;
    return isObject(vars) && LANGUAGE in vars;
  });
}

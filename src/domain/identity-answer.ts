import { createHash } from 'node:crypto';

/** What the platform gives each instance and what therefore differs, whatever becomes of an app's secrets. */
export type Given = Readonly<Record<string, string | undefined>>;

const DIGESTS = ['md5', 'sha1', 'sha256', 'sha512'] as const;
/** Of anything else, lest a digit or a word be found by chance. */
const SHORTEST = 4;
const WITH_COLONS = /[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}/gi;
/** A digest, or the beginning of one. */
const IN_HEXADECIMAL = /[0-9a-f]{8,128}/gi;
/** What no instance chooses for itself either: its addresses, and when it is. */
const PATTERNS: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['its address', /\b(?:\d{1,3}\.){3}\d{1,3}(?::\d{1,5})?\b/g],
  ['its address', /\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/gi],
  ['the time', /\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?/g],
];

/**
 * What two identity probes differ in, where it is nothing but what the platform gave each instance, as it is or as a
 * plain hash of it; undefined where something of their own is left.
 */
export function onlyGiven(
  one: { readonly answer: string; readonly given: Given },
  other: { readonly answer: string; readonly given: Given },
): readonly string[] | undefined {
  const [first, second] = [strip(one), strip(other)];
  if (first.rest !== second.rest) return undefined;
  return [...new Set([...first.found, ...second.found])];
}

function strip({ answer, given }: { readonly answer: string; readonly given: Given }): {
  readonly rest: string;
  readonly found: readonly string[];
} {
  const found = new Set<string>();
  const mark = (what: string): string => {
    found.add(what);
    return `<${what}>`;
  };
  const known = Object.entries(given).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && entry[1].length >= SHORTEST,
  );
  let rest = answer;
  // The longest first: an address has the host name in it, and that the label.
  for (const [what, value] of known.sort(([, a], [, b]) => b.length - a.length))
    rest = rest.replaceAll(value, () => mark(what));
  const digests = known.flatMap(([what, value]) =>
    DIGESTS.flatMap((digest) =>
      [value, `${value}\n`].map((text) => [what, createHash(digest).update(text).digest()] as const),
    ),
  );
  for (const [what, digest] of digests)
    for (const encoded of [digest.toString('base64'), digest.toString('base64url')])
      if (rest.includes(encoded)) rest = rest.replaceAll(encoded, () => mark(`a hash of ${what}`));
  rest = rest.replaceAll(IN_HEXADECIMAL, (text) => {
    const of = digests.find(([, digest]) => digest.toString('hex').startsWith(text.toLowerCase()));
    return of === undefined ? text : mark(`a hash of ${of[0]}`);
  });
  for (const [what, pattern] of PATTERNS) rest = rest.replaceAll(pattern, () => mark(what));
  rest = rest.replaceAll(WITH_COLONS, (text) => (URL.canParse(`http://[${text}]`) ? mark('its address') : text));
  return { rest, found: [...found] };
}

import { TryItNowError } from './errors.ts';
import type { Template } from './template.ts';

/** Long enough for a path with a token in it; what is longer is no place in an app. */
const LONGEST = 1_000;
/** An encoded character that is itself encoded, and so on: nobody needs more, and each round is looked at. */
const DECODINGS = 4;

/**
 * A path of an app with its query, as browsers resolve it; undefined for anything that some program on the way could
 * take for more: another site, a way out of the folder it is in, an end of a header. Encoded forms count as what they
 * stand for, however often they are encoded.
 */
export function normalLanding(text: string): string | undefined {
  if (text.length > LONGEST || !/^\/[\x21-\x7e]*$/.test(text) || text.includes('#')) return undefined;
  const [path] = halves(text);
  if (!isPlain(text.slice(path.length)) || !isPlainPath(path) || !isUtf8(text)) return undefined;
  const { pathname, search } = new URL(`http://app.invalid${text}`);
  return `${pathname}${search}`;
}

/** No backslash and no control character, whatever it is decoded to. */
function isPlain(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- control characters are exactly what must not pass
  return everyDecoding(text)?.every((form) => !/[\\\u0000-\u001f\u007f]/.test(form)) ?? false;
}

/** As `isPlain`, and nothing in it begins a host, ends the path or steps out of a folder. */
function isPlainPath(path: string): boolean {
  const forms = everyDecoding(path);
  if (forms === undefined || !isPlain(path)) return false;
  const slashes = path.split('/').length;
  return forms.every((form) => !/\/\/|[?#]|(?:^|\/)\.{1,2}(?:[/;]|$)/.test(form) && form.split('/').length === slashes);
}

/** The text and what it is decoded to, until decoding changes nothing; undefined when that has no end. */
function everyDecoding(text: string): string[] | undefined {
  const forms = [text];
  for (let last = text; ; forms.push(last)) {
    // Byte by byte, as lenient decoders do: beside what is wrong something else may be right.
    const next = last.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
    if (next === last) return forms;
    if (forms.length > DECODINGS) return undefined;
    last = next;
  }
}

function isUtf8(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * What a template allows, as people write it: a path, or the beginning of paths when it ends in `*`; what comes after a
 * `?` is held against the query likewise. Without a `?` there may be no query.
 */
export function isLandingPattern(text: string): boolean {
  const stars = text.split('*').length - 1;
  const [path, query] = halves(text);
  const ends = Number(path.endsWith('*')) + Number(query?.endsWith('*') ?? false);
  const example = text.replaceAll('*', 'x');
  return stars === ends && normalLanding(example) === example;
}

/**
 * Where this visitor lands. Throws landing_not_allowed for what the template does not allow, and for what is no path of
 * an app at all.
 */
export function landingFor(
  { name, open, openAllow }: Pick<Template, 'name' | 'open' | 'openAllow'>,
  asked: string | undefined,
): string {
  if (asked === undefined || asked === open) return open;
  const path = normalLanding(asked);
  if (path === undefined)
    throw refused(`${JSON.stringify(asked.slice(0, 100))} is no path within an app, such as /cart`);
  if (path === open || openAllow.some((pattern) => matches(pattern, path))) return path;
  const choice = [open, ...openAllow].join(', ');
  throw refused(`${JSON.stringify(asked.slice(0, 100))} is not among what template ${name} allows: ${choice}`);
}

/** Stands in an activation's answer for the path that the visitor's link asks for, encoded as part of a query. */
const CHOSEN = '{open}';

/** Whether an activation may answer with it. */
export function isActivationLanding(text: string): boolean {
  return normalLanding(text.replaceAll(CHOSEN, 'x')) !== undefined;
}

/** An activation's answer, with the visitor's choice filled in. */
export function fillLanding(landing: string, chosen: string): string {
  return landing.replaceAll(CHOSEN, encodeURIComponent(chosen));
}

function refused(why: string): TryItNowError {
  return new TryItNowError('landing_not_allowed', `The landing path ${why}`);
}

function matches(pattern: string, landing: string): boolean {
  const [allowedPath, allowedQuery] = halves(pattern);
  const [path, query] = halves(landing);
  if (!fits(allowedPath, path)) return false;
  if (query === undefined) return allowedQuery === undefined || allowedQuery === '*';
  return allowedQuery !== undefined && fits(allowedQuery, query);
}

function fits(allowed: string, text: string): boolean {
  return allowed.endsWith('*') ? text.startsWith(allowed.slice(0, -1)) : text === allowed;
}

function halves(text: string): [path: string, query: string | undefined] {
  const at = text.indexOf('?');
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** One answer of an app to somebody who has never been there. */
export interface AppAnswer {
  /** Set-Cookie, a line each. */
  readonly cookies: readonly string[];
  /** The headers that may bear a token: where a redirect leads, and the policy that names a nonce. */
  readonly headers: readonly string[];
  /** Its beginning. */
  readonly body: string;
}

/**
 * What an app answered to one path: as often as it was asked, each time as to a new visitor, and each with the seconds
 * of the wall clock in which it was under way.
 */
export interface AskedPage {
  readonly path: string;
  readonly rounds: readonly AskedRound[];
}

export interface AskedRound {
  /** Whole seconds since the epoch. */
  readonly began: number;
  readonly ended: number;
  readonly answers: readonly AppAnswer[];
}

/** How often each page has to be asked for `sharedRandom` to tell anything. */
export const ROUNDS = 4;
/** Two clones may have drawn one time more or less before they were asked. */
const SHIFTS = [0, 1, -1];
/** 64 bits in hexadecimal digits: what is shorter is hardly meant to be unguessable. */
const SHORTEST = 16;
/** Two random values of that length are alike at this many places once in millions of times; counters, at most. */
const FEWEST_DIFFERENCES = 8;
const LONGEST = 512;

const SECRET = '(?:csrf|xsrf|token|nonce|sess|sid|auth|secret|key|ticket|challenge|viewstate|verif|salt|jwt)';
const VALUE = `[^"'<>\\s]{${SHORTEST},${LONGEST}}`;
/** Bounded: a page may have an endless word in it, and each start of a match costs that much. */
const REST = '[\\w$.-]{0,40}';
/** `name="…"`, `"name": "…"`, `name = '…'`: attributes, JSON and scripts. */
const ASSIGNED = new RegExp(`(?<![\\w$.-])(${REST}${SECRET}${REST})["']?\\s{0,9}[:=]\\s{0,9}["'](${VALUE})["']`, 'gi');
/** In the query of a link, or as Java's servers write the session into its path. */
const IN_LINKS = new RegExp(`[?&;](${REST}${SECRET}${REST})=([\\w%.~+/-]{${SHORTEST},${LONGEST}})`, 'gi');
const POLICY_NONCE = new RegExp(`'nonce-(${VALUE.replace('"', '')})'`);
const TAG = /<(?:input|meta)\b[^>]{0,2000}>/gi;
const ATTRIBUTE = /([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/g;

/**
 * Where two clones of one checkpoint handed out the same random values: cookies, and what the name of a field says is
 * a token. A value is random if it is another one each time that one clone is asked. What is the same each time (a
 * language, the hash of a build), counts up, is picked from a few, or was made in the same second is no proof.
 */
export function sharedRandom(one: readonly AskedPage[], other: readonly AskedPage[]): readonly string[] {
  return one.flatMap(({ path, rounds }) => {
    const others = other.find((page) => page.path === path)?.rounds;
    if (others === undefined) return [];
    const [ours, theirs] = [rounds.map(valuesOf), others.map(valuesOf)];
    return [...(ours[0]?.keys() ?? [])]
      .filter((place) => {
        const [here, there] = [ours, theirs].map((all) => all.map((values) => values.get(place)));
        return here !== undefined && there !== undefined && isShared(series(here, rounds), series(there, others));
      })
      .map((place) => `${place} at ${path}`);
  });
}

interface Drawn {
  readonly value: string;
  readonly round: AskedRound;
}

/** Undefined unless it is another, random value each time. */
function series(values: readonly (string | undefined)[], rounds: readonly AskedRound[]): readonly Drawn[] | undefined {
  const drawn = rounds.flatMap((round, index) => {
    const value = values[index];
    return value === undefined ? [] : [{ value, round }];
  });
  if (drawn.length < ROUNDS || drawn.length < rounds.length) return undefined;
  const isRandom = drawn.every(({ value }, index) =>
    drawn.slice(index + 1).every((next) => differences(value, next.value) >= FEWEST_DIFFERENCES),
  );
  return isRandom ? drawn : undefined;
}

function isShared(one: readonly Drawn[] | undefined, other: readonly Drawn[] | undefined): boolean {
  if (one === undefined || other === undefined) return false;
  return SHIFTS.some((shift) => {
    const pairs = one.flatMap((drawn, index) => {
      const there = other[index + shift];
      return there === undefined ? [] : [[drawn, there] as const];
    });
    return pairs.every(([here, there]) => here.value === there.value && !isSameTime(here.round, there.round));
  });
}

/** Then what is made of the clock alone may be the same. */
function isSameTime(one: AskedRound, other: AskedRound): boolean {
  return one.began <= other.ended && other.began <= one.ended;
}

function differences(one: string, other: string): number {
  const [short, long] = one.length < other.length ? [one, other] : [other, one];
  return Array.from(long).filter((character, index) => character !== short[index]).length;
}

/** By where each stands; the first of each place. */
function valuesOf({ answers }: AskedRound): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const note = (place: string, value: string | undefined): void => {
    if (value !== undefined && value.length >= SHORTEST && !found.has(place)) found.set(place, value);
  };
  for (const { cookies, headers, body } of answers) {
    for (const line of cookies) {
      const [, name = '', value] = /^\s*([^=;\s]+)=([^;]*)/.exec(line) ?? [];
      note(`cookie ${name}`, value?.trim());
    }
    for (const line of headers) note('nonce of the content security policy', POLICY_NONCE.exec(line)?.[1]);
    for (const text of [...headers, body.replace(/&(?:quot|#0*34);/g, '"')]) {
      for (const [tag] of text.matchAll(TAG)) noteField(attributesOf(tag), note);
      for (const [, name = '', value = ''] of text.matchAll(ASSIGNED)) note(name, value);
      for (const [, name = '', value = ''] of text.matchAll(IN_LINKS)) note(`${name} in a link`, value);
    }
    note('the answer itself', /^\s*([\w+/=.-]+)\s*$/.exec(body)?.[1]);
  }
  return found;
}

/** A hidden field or a `meta` whose name says what its value is. */
function noteField(attributes: ReadonlyMap<string, string>, note: (place: string, value: string) => void): void {
  const name = attributes.get('name') ?? attributes.get('id') ?? '';
  const value = attributes.get('value') ?? attributes.get('content');
  if (value !== undefined && new RegExp(SECRET, 'i').test(name)) note(`field ${name}`, value);
}

function attributesOf(tag: string): ReadonlyMap<string, string> {
  return new Map(
    [...tag.matchAll(ATTRIBUTE)].map(([, name = '', ...values]) => [
      name.toLowerCase(),
      values.find((value: string | undefined) => value !== undefined) ?? '',
    ]),
  );
}

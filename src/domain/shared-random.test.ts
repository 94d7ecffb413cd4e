import { createHash, randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ROUNDS, sharedRandom, type AppAnswer, type AskedPage } from './shared-random.ts';

/** A generator whose state was dumped: every clone goes on from the same seed. */
function generator(seed: string, skipped = 0): () => string {
  let drawn = skipped;
  return () => {
    drawn += 1;
    return createHash('sha256').update(`${seed} ${drawn}`).digest('hex').slice(0, 32);
  };
}

/** What a clone answers when it is asked `ROUNDS` times, from this second on. */
function clone(from: number, answer: (round: number, second: number) => Partial<AppAnswer>): AskedPage[] {
  const rounds = Array.from({ length: ROUNDS }, (_, round) => {
    const second = from + round;
    return {
      began: second,
      ended: second,
      answers: [{ cookies: [], headers: [], body: '', ...answer(round, second) }],
    };
  });
  return [{ path: '/login', rounds }];
}

const [FIRST, SECOND] = [1_000, 2_000];

describe('the random values of two clones are found to be the same', () => {
  const places: readonly (readonly [place: string, (value: string) => Partial<AppAnswer>])[] = [
    ['cookie PHPSESSID', (value) => ({ cookies: ['lang=en; Path=/', `PHPSESSID=${value}; HttpOnly; Path=/`] })],
    [
      'field csrfmiddlewaretoken',
      (value) => ({ body: `<input type=hidden name="csrfmiddlewaretoken" value='${value}'>` }),
    ],
    ['field _token', (value) => ({ body: `<form><input value=${value} name=_token></form>` })],
    ['field csrf-token', (value) => ({ body: `<meta name="csrf-token" content="${value}">` })],
    ['data-csrf', (value) => ({ body: `<body data-csrf="${value}">` })],
    ['wpApiNonce', (value) => ({ body: `<script>var wpApiNonce = '${value}';</script>` })],
    ['csrfToken', (value) => ({ body: `<div data-page="{&quot;csrfToken&quot;:&quot;${value}&quot;}">` })],
    ['accessToken', (value) => ({ body: JSON.stringify({ user: null, accessToken: value }) })],
    ['jsessionid in a link', (value) => ({ body: `<a href="/cart;jsessionid=${value}">Cart</a>` })],
    ['sid in a link', (value) => ({ headers: [`/login?sid=${value}`] })],
    ['nonce of the content security policy', (value) => ({ headers: [`script-src 'nonce-${value}'`] })],
    ['the answer itself', (value) => ({ body: `${value}\n` })],
  ];
  it.each(places)('%s', (place, answer) => {
    const [one, two] = [generator('dumped'), generator('dumped')];
    const [ours, theirs] = [clone(FIRST, () => answer(one())), clone(SECOND, () => answer(two()))];
    expect(sharedRandom(ours, theirs)).toEqual([`${place} at /login`]);
    // And of clones that were reseeded they are not.
    const own = generator('another');
    expect(
      sharedRandom(
        ours,
        clone(SECOND, () => answer(own())),
      ),
    ).toEqual([]);
  });

  it.each([1, -1])('where one of them has drawn once more (%i)', (more) => {
    const [one, two] = [generator('dumped', 1), generator('dumped', 1 + more)];
    const cookie = (draw: () => string) => (): Partial<AppAnswer> => ({ cookies: [`sid=${draw()}`] });
    expect(sharedRandom(clone(FIRST, cookie(one)), clone(SECOND, cookie(two)))).toEqual(['cookie sid at /login']);
  });
});

describe('honest clones are not refused', () => {
  const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
  const honest: readonly (readonly [what: string, (round: number, second: number) => Partial<AppAnswer>])[] = [
    ['a language', () => ({ cookies: ['lang=en; Path=/'] })],
    ['a hash of the build', () => ({ body: `<script src="/app.js?key=${hash('build')}"></script>` })],
    ['a token that is part of the program', () => ({ body: `<meta name="token" content="${hash('program')}">` })],
    ['the name of a field', () => ({ body: '<input name="csrfmiddlewaretoken" value="">' })],
    ['a counter', (round) => ({ cookies: [`session=${String(round).padStart(24, '0')}`] })],
    ['a session of its own', () => ({ cookies: [`sid=${randomUUID()}`] })],
    ['what is made of the time', (_, second) => ({ cookies: [`token=${hash(String(second))}`] })],
    ['one of a few', (round) => ({ cookies: [`variant=${hash(String(round % 3))}`] })],
    ['no answer', () => ({})],
    ['a picture of the day', (round) => ({ body: `<img src="/pictures/${hash(String(round))}.jpg">` })],
  ];
  it.each(honest)('%s', (_, answer) => {
    expect(sharedRandom(clone(FIRST, answer), clone(SECOND, answer))).toEqual([]);
  });

  it('where both were asked within the same seconds', () => {
    const signed = (_: number, second: number): Partial<AppAnswer> => ({ cookies: [`token=${hash(`${second}`)}`] });
    expect(sharedRandom(clone(FIRST, signed), clone(FIRST, signed))).toEqual([]);
  });

  it('where an answer is missing', () => {
    const [one, two] = [generator('dumped'), generator('dumped')];
    const cookie = (draw: () => string) => (): Partial<AppAnswer> => ({ cookies: [`sid=${draw()}`] });
    const [ours, theirs] = [clone(FIRST, cookie(one)), clone(SECOND, cookie(two))];
    const short = theirs.map(({ path, rounds }) => ({ path, rounds: rounds.slice(1) }));
    expect(sharedRandom(ours, short)).toEqual([]);
    expect(sharedRandom(ours, [])).toEqual([]);
  });
});

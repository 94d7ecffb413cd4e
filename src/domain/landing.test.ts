import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText } from '../../test/support/any-text.ts';
import { fillLanding, isActivationLanding, isLandingPattern, landingFor, normalLanding } from './landing.ts';

const shop = { name: 'shop', open: '/', openAllow: ['/cart', '/shop/*', '/find?q=*', '/item?id=7', '/any/*?*'] };
const codeOf = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
};

describe('a landing path', () => {
  it.each([
    ['/cart', '/cart'],
    ['/', '/'],
    ['/shop/mugs', '/shop/mugs'],
    ['/shop/%C3%A9t%C3%A9', '/shop/%C3%A9t%C3%A9'],
    ['/shop/a"b', '/shop/a%22b'],
    ['/find?q=100%25', '/find?q=100%25'],
    ['/find?q=a/../b', '/find?q=a/../b'],
    ['/item?id=7', '/item?id=7'],
    ['/any/thing', '/any/thing'],
    ['/any/thing?at=all', '/any/thing?at=all'],
  ])('%s is allowed', (asked, path) => {
    expect(landingFor(shop, asked)).toBe(path);
  });

  it.each([
    // Not on the list.
    '/admin',
    '/cart/',
    '/cart?x=1',
    '/shop',
    '/shop/mugs?x=1',
    '/item?id=8',
    '/find',
    // No path, or a way out of one.
    '',
    'cart',
    'https://evil.example/',
    '//evil.example/',
    '/shop//evil.example',
    '/\\evil.example',
    '/shop/\\evil.example',
    '/shop/%5cevil.example',
    '/shop/%255cevil.example',
    '/shop/../admin',
    '/shop/./../admin',
    '/shop/..;/admin',
    '/shop/%2e%2e/admin',
    '/shop/%252e%252e/admin',
    '/shop/..%2fadmin',
    '/shop/%2f%2fevil.example',
    '/shop/a%2fb',
    '/shop/%3f',
    '/shop/%23',
    '/shop/#/admin',
    '/shop/a\nb',
    '/shop/a b',
    '/shop/%0d%0aset-cookie:x',
    '/shop/%250d',
    '/shop/%00',
    '/shop/%7f',
    '/shop/%',
    '/shop/%c0%af',
    '/find?q=%0d%0a',
    '/find?q=%5c',
    `/shop/${'a'.repeat(1_000)}`,
    `/shop/${'%25'.repeat(3)}25252525`,
  ])('%j is refused', (asked) => {
    expect(codeOf(() => landingFor(shop, asked))).toBe('landing_not_allowed');
  });

  it("is the template's own without a wish, also one that no link could ask for", () => {
    expect(landingFor({ ...shop, open: '/#/board' }, undefined)).toBe('/#/board');
    expect(landingFor({ ...shop, open: '/#/board' }, '/#/board')).toBe('/#/board');
  });

  const hostile = fc
    .array(
      fc.constantFrom(
        '/',
        '\\',
        '.',
        '..',
        ';',
        '%2f',
        '%5c',
        '%2e',
        '%25',
        '%0a',
        '%00',
        '?',
        '#',
        '@',
        ':',
        'a',
        'é',
      ),
      { maxLength: 12 },
    )
    .map((parts) => parts.join(''));

  it('never leads out of the folder it is allowed in, whatever is asked for and however often it is decoded', () => {
    let allowed = 0;
    fc.assert(
      fc.property(fc.oneof(hostile, anyText()), (rest) => {
        const path = codeOf(() => landingFor({ name: 'x', open: '/', openAllow: ['/shop/*?*'] }, `/shop/${rest}`));
        if (path === 'landing_not_allowed') return;
        allowed += 1;
        for (let form = String(path), before = ''; form !== before;) {
          const url = new URL(form, 'http://app.invalid');
          expect([url.origin, url.pathname.startsWith('/shop/')]).toEqual(['http://app.invalid', true]);
          expect(form).not.toMatch(/^[^?]*(\/\/|\\)/);
          // oxlint-disable-next-line no-control-regex -- what must not be there
          expect(form).not.toMatch(/[\u0000-\u001f\u007f]/);
          before = form;
          form = form.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
        }
      }),
      { numRuns: 3_000 },
    );
    expect(allowed).toBeGreaterThan(20);
  });

  it('is the same when it is asked for again', () => {
    fc.assert(
      fc.property(hostile, (rest) => {
        const path = normalLanding(`/${rest}`);
        if (path !== undefined) expect(normalLanding(path)).toBe(path);
      }),
    );
  });
});

it.each([
  ['/cart', true],
  ['/shop/*', true],
  ['/find?q=*', true],
  ['/any/*?*', true],
  ['/*', true],
  ['*', false],
  ['cart', false],
  ['/a*b', false],
  ['//evil.example/*', false],
  ['/a/../b', false],
  ['/#/board', false],
])('%s as a pattern: %s', (pattern, sound) => {
  expect(isLandingPattern(pattern)).toBe(sound);
});

it("takes a visitor's choice into what an activation answers", () => {
  expect(isActivationLanding('/login?token=a_b&to={open}')).toBe(true);
  expect(isActivationLanding('//evil.example/?to={open}')).toBe(false);
  expect(fillLanding('/login?token=a_b&to={open}', '/shop/a?b=c&d')).toBe(
    '/login?token=a_b&to=%2Fshop%2Fa%3Fb%3Dc%26d',
  );
});

import fc from 'fast-check';

const SURROGATES = { first: 0xd800, last: 0xdfff };

/**
 * Strings of every character there is, and those that programs trip over. fast-check's own `unit: 'binary'` makes a
 * list of a million characters first, for each place that asks for it.
 */
export function anyText(): fc.Arbitrary<string> {
  const character = fc
    .oneof(fc.nat({ max: SURROGATES.first - 1 }), fc.integer({ min: SURROGATES.last + 1, max: 0x10ffff }))
    .map((code) => String.fromCodePoint(code));
  return fc.oneof(fc.string(), fc.string({ unit: character }));
}

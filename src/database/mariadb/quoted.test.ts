import { expect, it } from 'vitest';
import { quoted, quotedForGrant } from './quoted.ts';

it('quotes identifiers so that none can end early, and escapes what GRANT takes for a wildcard', () => {
  expect(quoted('a`b')).toBe('`a``b`');
  expect(quotedForGrant('tin_a%b\\c')).toBe('`tin\\_a\\%b\\\\c`');
});

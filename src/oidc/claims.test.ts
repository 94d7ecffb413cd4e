import { describe, expect, it } from 'vitest';
import { emailOf, valuesOf } from './claims.ts';

describe('a claim', () => {
  it.each([
    ['a list', { groups: ['ops', 'all'] }, 'groups', ['ops', 'all']],
    ['a single word', { department: 'ops' }, 'department', ['ops']],
    ['within another', { realm_access: { roles: ['ops'] } }, 'realm_access.roles', ['ops']],
    ['with dots in its name', { 'https://example.org/groups': ['ops'] }, 'https://example.org/groups', ['ops']],
    ['what is no text', { groups: [1, null, { ops: true }, 'ops'] }, 'groups', ['ops']],
    ['none', {}, 'groups', []],
    ['what every object has', {}, 'constructor.name', []],
  ])('that is %s', (_name, claims, claim, values) => {
    expect(valuesOf(claims, claim)).toEqual(values);
  });
});

describe('an e-mail address', () => {
  it('counts in lower case, and with its domain', () => {
    const claims = { email: 'Jo@Example.org', email_verified: true };
    expect(valuesOf(claims, 'email')).toEqual(['jo@example.org', '@example.org']);
    expect(emailOf(claims)).toBe('jo@example.org');
  });

  it.each([[false], [undefined], ['true']])('whose verification is %j is nobody’s', (verified) => {
    const claims = { email: 'jo@example.org', email_verified: verified };
    expect([valuesOf(claims, 'email'), emailOf(claims)]).toEqual([[], undefined]);
  });
});

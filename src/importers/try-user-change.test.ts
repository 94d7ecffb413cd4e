import { expect, it } from 'vitest';
import { whyKept } from './try-user-change.ts';

const REFUSED = 'ready\n[unixd:alert] (1)Operation not permitted: AH02156: setgid: unable to set group id to Group 33';

it('keeps what stops a complaint', () => {
  expect(whyKept({ users: 1, output: REFUSED }, { users: 1, output: 'ready' })).toMatch(/refused something: \[unixd/);
});

it('keeps what lets a server change its user, though it said nothing', () => {
  expect(whyKept({ users: 1, output: '' }, { users: 2, output: '' })).toMatch(/its own user/);
});

it('keeps nothing that changes nothing, or that nobody can tell of', () => {
  expect(whyKept({ users: 1, output: REFUSED }, { users: 1, output: REFUSED })).toBeUndefined();
  expect(whyKept({ users: 2, output: 'ready' }, { users: 2, output: 'ready' })).toBeUndefined();
  expect(whyKept({ users: undefined, output: '' }, { users: undefined, output: '' })).toBeUndefined();
});

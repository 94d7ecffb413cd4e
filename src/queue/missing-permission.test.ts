import { PermissionViolationError } from '@nats-io/transport-node';
import { expect, it } from 'vitest';
import { missingPermission } from './missing-permission.ts';

it('names the subject that the user lacks, however deep the client hides it, and nothing for other errors', () => {
  const missing = PermissionViolationError.parse('Permissions Violation for Publish to "provisioning.provision"');
  if (missing === null) throw new Error('the client reads it another way');
  const said = /^its user may not publish to provisioning\.provision; grant that/;
  expect(missingPermission(missing)).toMatch(said);
  expect(missingPermission(new Error('a request failed', { cause: missing }))).toMatch(said);
  const deaf = PermissionViolationError.parse('Permissions Violation for Subscription to "_INBOX.x"');
  expect(missingPermission(deaf)).toMatch(/^its user may not subscribe to _INBOX\.x;/);
  expect(missingPermission(new Error('timeout'))).toBeUndefined();
});

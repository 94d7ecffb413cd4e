import { PermissionViolationError } from '@nats-io/transport-node';

/** What the user that we log in as lacks, where that is behind an error of the client; undefined otherwise. */
export function missingPermission(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (!(error instanceof PermissionViolationError)) return missingPermission(error.cause);
  const { operation, subject } = error;
  return (
    `its user may not ${operation === 'publish' ? 'publish to' : 'subscribe to'} ${subject}; grant that ` +
    '(docs/fleet.md lists all that is needed)'
  );
}

export type Claims = Readonly<Record<string, unknown>>;

/** The address, where the provider has seen that it is theirs: whoever else may name any. */
export function emailOf({ email, email_verified: verified }: Claims): string | undefined {
  return typeof email === 'string' && email !== '' && verified === true ? email.toLowerCase().slice(0, 254) : undefined;
}

/**
 * What of a claim roles can be granted to. It may lie within others (`realm_access.roles`). Of `email` that is the
 * address, where it is verified, and `@` with its domain.
 */
export function valuesOf(claims: Claims, claim: string): readonly string[] {
  if (claim === 'email') {
    const email = emailOf(claims);
    return email === undefined ? [] : [email, email.slice(email.lastIndexOf('@'))];
  }
  const value = Object.hasOwn(claims, claim) ? claims[claim] : within(claims, claim.split('.'));
  return [value].flat().filter((each) => typeof each === 'string');
}

function within(value: unknown, [name, ...rest]: readonly string[]): unknown {
  if (name === undefined) return value;
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? within((value as Claims)[name], rest)
    : undefined;
}

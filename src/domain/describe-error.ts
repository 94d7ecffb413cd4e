/** The message of whatever was thrown, followed by those of its causes that say more. */
export function describeError(thrown: unknown): string {
  const parts: string[] = [];
  let error: unknown = thrown;
  for (let depth = 0; error !== undefined && depth < 5; depth += 1) {
    const words = wordsOf(error);
    // Who wraps an error often quotes it.
    if (!parts.some((part) => part.includes(words))) parts.push(words);
    error = error instanceof Error ? error.cause : undefined;
  }
  return parts.join(': ');
}

function wordsOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '')
    return error.errors.map((inner) => describeError(inner)).join('; ');
  if (error instanceof Error) return error.message;
  return typeof error === 'string' ? error : JSON.stringify(error);
}

const ENTRY_VERSION = 1;

/** The fields of an entry as JSON; undefined when it is damaged or of another version. */
export function parseVersioned(text: string): Readonly<Record<string, unknown>> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = value as Readonly<Record<string, unknown>>;
  return fields['v'] === ENTRY_VERSION ? fields : undefined;
}

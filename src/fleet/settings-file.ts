import { TryItNowError } from '../domain/errors.ts';

const LINE = /^\s*([A-Z][A-Z0-9_]*)\s*=\s*(.*?)\s*$/;
/** What systemd and a shell read alike without quotes. */
const PLAIN = /^[^"'`$\\\p{C}]*$/u;

/** A file of one NAME=value a line, as systemd and the command try-it-now read it. */
export function parseSettings(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, name, value] = LINE.exec(line) ?? [];
    if (name !== undefined && value !== undefined) found.set(name, value.replace(/^(["'])(.*)\1$/, '$2'));
  }
  return found;
}

/**
 * The text with these settings, each where it stood or at the end, and everything else as it was. Undefined takes a
 * setting back. Throws invalid_request for a value that would have to be quoted.
 */
export function withSettings(text: string, changes: ReadonlyMap<string, string | undefined>): string {
  const rest = new Map(changes);
  const lines = text.split('\n').flatMap((line) => {
    const name = LINE.exec(line)?.[1];
    if (name === undefined || !changes.has(name)) return [line];
    // A name that stands twice: the last one counted, and there is one now.
    if (!rest.has(name)) return [];
    const value = rest.get(name);
    rest.delete(name);
    return value === undefined ? [] : [assignment(name, value)];
  });
  const added = [...rest].flatMap(([name, value]) => (value === undefined ? [] : [assignment(name, value)]));
  const kept = lines.join('\n').trimEnd();
  return [...(kept === '' ? [] : [kept]), ...added, ''].join('\n');
}

function assignment(name: string, value: string): string {
  if (!PLAIN.test(value) || value !== value.trim())
    throw new TryItNowError(
      'invalid_request',
      `${name} has a character that a settings file cannot carry (a quote, a backslash, a dollar or a line break)`,
    );
  return `${name}=${value}`;
}

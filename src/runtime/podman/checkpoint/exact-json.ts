/** Beyond this many digits a number of JavaScript's may not be what was written; Podman writes limits of 64 bits. */
const LONG_INTEGER = /"(?:[^"\\]|\\.)*"|-?\d{16,}/g;
const MARK = '\u0001integer:';
const MARKED = /"\\u0001integer:(-?\d+)"/g;

/** JSON with its long integers kept to the digit, as marked text. */
export function parseExactly(text: string): unknown {
  return JSON.parse(
    text.replace(LONG_INTEGER, (found) => (found.startsWith('"') ? found : JSON.stringify(`${MARK}${found}`))),
  );
}

/** The reverse of `parseExactly`. */
export function writeExactly(value: unknown): string {
  return JSON.stringify(value).replace(MARKED, '$1');
}

export { distance, stripControlCharacters, truncate } from '../../presentation/plain-text.ts';

/** `11-24 04:20:57`, UTC as in the logs. */
export function shortTime(iso: string): string {
  return iso.slice(5, 19).replace('T', ' ');
}

/* oxlint-disable no-control-regex -- control characters are exactly what must go */
/** Also what turns the direction of what follows, so that text looks like another. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const CONTROL_BUT_LINES = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
/* oxlint-enable no-control-regex */

/** What others wrote, for a terminal or a page: without what would steer it. Lines stay lines where they may. */
export function stripControlCharacters(text: string, lines: 'lines' | 'one line' = 'one line'): string {
  return text.replace(lines === 'lines' ? CONTROL_BUT_LINES : CONTROL, '·');
}

/** How far from now, in the largest unit that says enough: `42 s`, `17 min`, `3 h`, `2 d`. */
export function distance(iso: string, nowMs = Date.now()): string {
  const seconds = Math.round(Math.abs(Date.parse(iso) - nowMs) / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}

export function truncate(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

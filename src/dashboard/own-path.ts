/** `next`, if it is a page of the dashboard: nobody is led to another site, or back to the log-in. */
export function ownPath(next: string): string {
  return /^\/(?![/\\])[\x21-\x7e]*$/.test(next) && !next.startsWith('/login') ? next : '/';
}

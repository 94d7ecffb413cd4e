/** What lets a page of another site read the stream: taken over by hand, since the response is. */
export function crossSite(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      typeof value === 'string' && (name === 'vary' || name.startsWith('access-control-')) ? [[name, value]] : [],
    ),
  );
}

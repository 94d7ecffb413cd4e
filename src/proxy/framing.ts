import type { Json } from './json.ts';

type JsonObject = Readonly<Record<string, Json>>;

/** Of a browser in a page of another site: it says so of documents in a frame, newer ones of whatever these ask for. */
const IN_A_FRAME: readonly JsonObject[] = [
  { header: { 'Sec-Fetch-Dest': ['iframe'] } },
  { header: { 'Sec-Fetch-Storage-Access': ['none', 'inactive', 'active'] } },
];

/**
 * Handlers that let pages of these origins, and no others, show an instance in a frame. Whatever an app says of frames
 * goes on holding for everybody else. What it keeps in cookies works there too: they are kept for the embedding site
 * alone (`Partitioned`), which browsers take from secure addresses and from this machine's own names only.
 */
export function framing(origins: readonly string[]): JsonObject[] {
  const allowed = origins.join(' ');
  return [
    {
      handler: 'headers',
      response: {
        require: { headers: { 'X-Frame-Options': ['*'] } },
        delete: ['X-Frame-Options'],
        add: { 'Content-Security-Policy': [`frame-ancestors 'self' ${allowed}`] },
      },
    },
    {
      handler: 'headers',
      response: {
        deferred: true,
        replace: {
          'Content-Security-Policy': [
            { search_regexp: "(?i)(frame-ancestors)\\s+'none'", replace: '$1' },
            { search_regexp: '(?i)(frame-ancestors[^;,]*)', replace: `$1 ${allowed}` },
          ],
        },
      },
    },
    {
      handler: 'subroute',
      routes: [
        {
          match: [...IN_A_FRAME],
          handle: [
            {
              handler: 'headers',
              response: {
                deferred: true,
                replace: {
                  'Set-Cookie': [
                    { search_regexp: '(?i);\\s*(?:samesite=[^;]*|secure|partitioned)', replace: '' },
                    { search_regexp: '$', replace: '; Secure; SameSite=None; Partitioned' },
                  ],
                },
              },
            },
          ],
        },
      ],
    },
  ];
}

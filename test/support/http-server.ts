import { pino } from 'pino';
import { createServer, type HttpServer, type ServerOptions } from '../../src/http/server.ts';
import { loadPages } from '../../src/web/pages.ts';
import { FakeDemos } from './fake-demos.ts';

export interface RunningServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly demos: FakeDemos;
  readonly server: HttpServer;
  /** Every log line so far, parsed. */
  readonly lines: () => Record<string, unknown>[];
}

/** The real HTTP server on a free port over a pool in memory. */
export async function startHttp(
  options: Partial<Omit<ServerOptions, 'demos' | 'pages'>> & {
    readonly demos?: FakeDemos;
    readonly port?: number;
    readonly page?: Parameters<typeof loadPages>[0];
  } = {},
): Promise<RunningServer> {
  const demos = options.demos ?? new FakeDemos();
  const written: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void written.push(line) });
  const server = await createServer({
    publicUrl: 'http://localhost:8080',
    apiKeys: [],
    trustedProxies: [],
    metrics: { contentType: 'text/plain; version=0.0.4; charset=utf-8', text: () => Promise.resolve('up 1\n') },
    log,
    ...options,
    demos,
    pages: await loadPages(options.page),
  });
  const port = await server.listen({ host: '127.0.0.1', port: options.port ?? 0 });
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    demos,
    server,
    lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>),
    [Symbol.asyncDispose]: () => server.close(0),
  };
}

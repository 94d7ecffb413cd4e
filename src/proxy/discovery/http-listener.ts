import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { TryItNowError, describeError } from '../../domain/errors.ts';
import { LOST_HOST, mayHaveCertificate, type AskOptions, type Liveness } from './ask.ts';

export interface HttpListenerOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
  readonly ask: AskOptions;
}

/** To a server that asks before it gets a certificate, every status but 200 is a no. */
const ASK_STATUS: Readonly<Record<Liveness, number>> = { live: 200, lost: 200, unknown: 404, unsure: 503 };

/**
 * `/metrics`, and `/ask?domain=` for Caddy's on-demand TLS. Plain node:http: the whole of Fastify would take longer to
 * load than the discovery process takes to start. Returns what closes it. Throws port_taken.
 */
export async function startHttpListener({
  listen: { host, port },
  metrics,
  ask,
}: HttpListenerOptions): Promise<() => void> {
  const server = createServer((request, response) => {
    // The parser throws at some targets, such as `//`, and nothing asked here may end the process.
    const url = URL.canParse(request.url ?? '', 'http://discovery')
      ? new URL(request.url ?? '', 'http://discovery')
      : undefined;
    const answer = (status: number, body = '', contentType = 'text/plain; charset=utf-8'): ServerResponse =>
      response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' }).end(body);
    const failed = (error: unknown): ServerResponse => answer(500, describeError(error));
    if (request.method !== 'GET' && request.method !== 'HEAD') response.writeHead(405, { allow: 'GET, HEAD' }).end();
    else if (url?.pathname === '/metrics')
      metrics.text().then((text) => answer(200, text, metrics.contentType), failed);
    else if (url?.pathname === '/ask')
      mayHaveCertificate(url.searchParams.get('domain') ?? '', ask).then((found) => {
        // Its name is still an instance's, and its page is shown by https, too.
        if (found === 'lost') response.setHeader(LOST_HOST.header, LOST_HOST.value);
        answer(ASK_STATUS[found]);
      }, failed);
    else answer(404);
  });
  server.listen(port, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new TryItNowError(
      'port_taken',
      `The discovery process cannot serve HTTP on ${host}:${port} (${describeError(error)}); set ` +
        'DISCOVERY_METRICS_ADDR to another address',
      { cause: error },
    );
  }
  return () => {
    server.close();
    server.closeAllConnections();
  };
}

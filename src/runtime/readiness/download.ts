import { Client } from 'undici';
import type { Probe } from '../../pool/interfaces/probe.ts';
import { visitorHeaders } from './one-request.ts';

type Answered = Awaited<ReturnType<Probe['download']>>;

/** One request, and the body of its answer at the pace of whoever reads it. */
export async function download(
  { url, visitor }: Parameters<Probe['download']>[0],
  signal: AbortSignal,
): Promise<Answered> {
  signal.throwIfAborted();
  const target = new URL(url);
  // How long it may take is for the caller to say.
  const client = new Client(target.origin, { pipelining: 0, headersTimeout: 0, bodyTimeout: 0 });
  const close = (): void => void client.destroy();
  signal.addEventListener('abort', close, { once: true });
  try {
    const { statusCode, headers, body } = await client.request({
      method: 'GET',
      path: `${target.pathname}${target.search}`,
      headers: { 'user-agent': 'try-it-now', ...visitorHeaders(visitor) },
      signal,
    });
    body.once('close', close);
    const length = Number(headers['content-length'] ?? NaN);
    return { status: statusCode, bytes: Number.isInteger(length) ? length : undefined, body };
  } catch (error) {
    close();
    throw error;
  }
}

import type { Config } from '../config/config.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';

const ANSWER_MS = 5_000;

/** Where the proxies are for others, who ask through them whether an instance is there. Throws invalid_request. */
export async function reachableProxies({ listen, internalUrls }: Config['proxy'], own: string): Promise<string[]> {
  const port = /\d+$/.exec(listen)?.[0] ?? '';
  const isEverywhere = /(^|,)(0\.0\.0\.0)?:\d+$/.test(listen);
  const isHere = (url: string): boolean => isLoopback(new URL(url).hostname);
  if (internalUrls.some(isHere) && !isEverywhere && !listen.split(',').includes(`${own}:${port}`))
    throw new TryItNowError(
      'invalid_request',
      `PROXY_LISTEN is ${listen}, where no other host reaches the proxy; set it to ${listen},${own}:${port} and ` +
        'restart the server',
    );
  const urls = internalUrls.map((url) => (isHere(url) ? `http://${own}:${port}` : url));
  await requireProxy(urls);
  return urls;
}

/** Any answer will do, of any of them: one that is down now is no reason to be without the others. */
export async function requireProxy(urls: readonly string[]): Promise<void> {
  try {
    await Promise.any(urls.map(answers));
  } catch (error) {
    const [first, ...others] = (error as AggregateError).errors.map(describeError);
    throw new TryItNowError(
      'invalid_request',
      `${others.length === 0 ? 'The proxy does not answer' : 'No proxy answers'} at ${urls.join(' or ')} ` +
        `(${[first, ...others].join('; ')}); see that Caddy and the server on ` +
        `${others.length === 0 ? 'that host' : 'one of these hosts'} run with their settings as they are now ` +
        '(`systemctl restart try-it-now`), and that no firewall is between',
      { cause: error },
    );
  }
}

async function answers(url: string): Promise<void> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS), redirect: 'manual' });
  await answer.body?.cancel();
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host.startsWith('127.') || host === '::1' || host === '[::1]';
}

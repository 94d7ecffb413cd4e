import type { Config } from '../config/config.ts';
import { TryItNowError, describeError } from '../domain/errors.ts';

const ANSWER_MS = 5_000;

/** Where the proxy is for others, who ask through it whether an instance is there. Throws invalid_request. */
export async function reachableProxy({ listen, internalUrl }: Config['proxy'], own: string): Promise<string> {
  const { hostname } = new URL(internalUrl);
  const port = /\d+$/.exec(listen)?.[0] ?? '';
  const isEverywhere = /(^|,)(0\.0\.0\.0)?:\d+$/.test(listen);
  const url = isLoopback(hostname) ? `http://${own}:${port}` : internalUrl;
  if (isLoopback(hostname) && !isEverywhere && !listen.split(',').includes(`${own}:${port}`))
    throw new TryItNowError(
      'invalid_request',
      `PROXY_LISTEN is ${listen}, where no other host reaches the proxy; set it to ${listen},${own}:${port} and ` +
        'restart the server',
    );
  await requireProxy(url);
  return url;
}

/** Any answer will do. Throws invalid_request. */
export async function requireProxy(url: string): Promise<void> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS), redirect: 'manual' });
    await answer.body?.cancel();
  } catch (error) {
    throw new TryItNowError(
      'invalid_request',
      `The proxy does not answer at ${url} (${describeError(error)}); see that Caddy and the server on that host run ` +
        'with their settings as they are now (`systemctl restart try-it-now`), and that no firewall is between',
      { cause: error },
    );
  }
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host.startsWith('127.') || host === '::1' || host === '[::1]';
}

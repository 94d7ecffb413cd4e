import autocannon from 'autocannon';
import { Client } from 'undici';

export interface Acquired {
  readonly id: string;
  readonly url: string;
}

/** Acquires one after another over one kept-alive connection; latencies in ms. */
export async function acquireInSequence(
  api: string,
  count: number,
): Promise<{ readonly latenciesMs: number[]; readonly acquired: Acquired[] }> {
  const client = new Client(api);
  const latenciesMs: number[] = [];
  const acquired: Acquired[] = [];
  for (let at = 0; at < count; at += 1) {
    const startedAt = performance.now();
    const { statusCode, body } = await client.request({ method: 'POST', path: '/api/v1/demo/acquire' });
    const text = await body.text();
    latenciesMs.push(performance.now() - startedAt);
    if (statusCode >= 300) throw new Error(`acquire answered ${statusCode}: ${text}`);
    acquired.push(JSON.parse(text) as Acquired);
  }
  await client.close();
  return { latenciesMs, acquired };
}

export async function releaseInSequence(api: string, ids: readonly string[]): Promise<number[]> {
  const client = new Client(api);
  const latenciesMs: number[] = [];
  for (const id of ids) {
    const startedAt = performance.now();
    const { statusCode, body } = await client.request({ method: 'DELETE', path: `/api/v1/demo/${id}` });
    await body.dump();
    latenciesMs.push(performance.now() - startedAt);
    if (statusCode !== 204) throw new Error(`release answered ${statusCode}`);
  }
  await client.close();
  return latenciesMs;
}

/**
 * Requests a second over `connections`, for a number of requests. Any answer but 2xx is an error: it would not be the
 * work we measure.
 */
export async function rate(options: {
  readonly url: string;
  readonly method?: 'GET' | 'POST';
  readonly amount: number;
  readonly connections: number;
  readonly hosts?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
}): Promise<number> {
  const { url, method = 'GET', amount, connections, hosts, headers = {} } = options;
  let nextHost = 0;
  let lastAnswerAt = 0;
  const startedAt = performance.now();
  const result = await new Promise<autocannon.Result>((resolve, reject) => {
    const run = autocannon(
      {
        url,
        method,
        amount,
        connections,
        headers,
        ...(hosts === undefined
          ? {}
          : {
              requests: [
                {
                  setupRequest: (request) => {
                    nextHost = (nextHost + 1) % hosts.length;
                    return { ...request, headers: { ...request.headers, host: hosts[nextHost] } };
                  },
                },
              ],
            }),
      },
      (error: unknown, done) => {
        if (error === null || error === undefined) resolve(done);
        else reject(error instanceof Error ? error : new Error('the load generator failed'));
      },
    );
    // Its own clock ends with its sampling interval of a second.
    run.on('response', () => {
      lastAnswerAt = performance.now();
    });
  });
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${result.non2xx} answers were not 2xx and ${result.errors} requests failed at ${url}`);
  return result['2xx'] / ((lastAnswerAt - startedAt) / 1_000);
}

import { request } from 'undici';
import { describeError } from '../domain/errors.ts';
import type { Config } from '../config/config.ts';
import { reachableHost } from '../config/reachable-host.ts';
import { deadlineSignal } from '../lifecycle/deadline.ts';
import { failure, notChecked, ok, warning, type Check, type Observation } from './check.ts';
import { logObservation } from './log.ts';

const PART = 'Server';
const ANSWER_WITHIN_MS = 3_000;
const START = 'Start it (`systemctl start try-it-now`) and see why it ended (`journalctl -u try-it-now -e`).';

/** The process behind the API and the page. */
export function apiChecks({ server, admin }: Config, metrics: () => Promise<string | undefined>): Check[] {
  return [
    {
      part: PART,
      what: 'API',
      remedy: START,
      run: async () => [await health(`http://${reachableHost(server.host)}:${server.port}/health`)],
    },
    { part: PART, what: 'log', run: async () => [logObservation(await metrics(), 'try-it-now')] },
    { part: PART, what: 'API keys', run: () => Promise.resolve([apiKeys(server.apiKeys.length)]) },
    { part: PART, what: 'operators', run: async () => [await operators(admin)] },
  ];
}

/** What the server counts; undefined while it does not answer. */
export async function serverMetrics({ server }: Config): Promise<string | undefined> {
  try {
    const { statusCode, body } = await request(`http://${reachableHost(server.host)}:${server.port}/metrics`, limits());
    const text = await body.text();
    return statusCode === 200 ? text : undefined;
  } catch {
    return undefined;
  }
}

async function health(url: string): Promise<Observation> {
  let status: number;
  let text: string;
  try {
    const answer = await request(url, limits());
    [status, text] = [answer.statusCode, await answer.body.text()];
  } catch (error) {
    return failure(
      'API',
      `the server does not answer at ${url} (${describeError(error)}): nothing is handed out, refilled or cleaned up`,
      START,
    );
  }
  return status === 200
    ? ok('API', `${url} says ${text.trim()}`)
    : failure(
        'API',
        `${url} answers ${status}: ${text.trim()}`,
        'See its log (`journalctl -u try-it-now -e`), and restart it (`systemctl restart try-it-now`).',
      );
}

function apiKeys(count: number): Observation {
  return ok('API keys', count === 0 ? 'none: the API is open to anyone who reaches it' : `${count} configured`);
}

async function operators({ host, port, operatorKeys }: Config['admin']): Promise<Observation> {
  const url = `http://${reachableHost(host)}:${port}`;
  if (operatorKeys.length === 0)
    return warning(
      'operators',
      'no operator key is set, so the admin API answers nobody',
      'Draw one (`openssl rand -hex 24`), set OPERATOR_KEYS or OPERATOR_KEYS_FILE for the server, and restart it.',
    );
  try {
    const { statusCode, body } = await request(`${url}/admin/v1/pools`, {
      ...limits(),
      headers: { 'x-api-key': operatorKeys[0] ?? '' },
    });
    await body.dump();
    if (statusCode === 200) return ok('operators', `the admin API answers at ${url}`);
    return failure(
      'operators',
      `the admin API at ${url} answers ${statusCode} to the configured operator key`,
      'Restart the server with the same OPERATOR_KEYS as are set here (`systemctl restart try-it-now`).',
    );
  } catch (error) {
    return notChecked('operators', `the admin API does not answer at ${url} (${describeError(error)})`);
  }
}

function limits(): { readonly headersTimeout: number; readonly bodyTimeout: number; readonly signal: AbortSignal } {
  return {
    headersTimeout: ANSWER_WITHIN_MS,
    bodyTimeout: ANSWER_WITHIN_MS,
    signal: deadlineSignal(ANSWER_WITHIN_MS),
  };
}

import { request } from 'undici';
import { describeError } from '../domain/errors.ts';
import { PREVIEWS_ROLE } from '../domain/operator-role.ts';
import type { Config } from '../config/config.ts';
import { reachableHost } from '../config/reachable-host.ts';
import { deadlineSignal } from '../lifecycle/deadline.ts';
import { Shared, failure, notChecked, ok, warning, type Check, type Observation } from './check.ts';
import { logObservation } from './log.ts';

const PART = 'Server';
const ANSWER_WITHIN_MS = 3_000;
const START = 'Start it (`systemctl start try-it-now`) and see why it ended (`journalctl -u try-it-now -e`).';

/** The process behind the API and the page; on a further host, the worker that runs there in its place. */
export function apiChecks(config: Config, metrics: () => Promise<string | undefined>): Check[] {
  const { server, admin } = config;
  const worker = new Shared(() => loneWorker(config), '');
  return [
    {
      part: PART,
      what: 'API',
      remedy: START,
      run: async () => {
        const alone = await worker.get();
        return alone === undefined ? [await health(serverUrl(config, '/health'))] : [NO_SERVER, alone];
      },
    },
    { part: PART, what: 'log', run: async () => [logObservation(await metrics(), 'try-it-now')] },
    { part: PART, what: 'API keys', run: () => Promise.resolve([apiKeys(server.apiKeys.length)]) },
    {
      part: PART,
      what: 'operators',
      run: async () => ((await worker.get()) === undefined ? [await operators(admin)] : []),
    },
  ];
}

const NO_SERVER = ok('API', 'none on this host, where a worker runs alone');

function serverUrl({ server }: Config, path: string): string {
  return `http://${reachableHost(server.host)}:${server.port}${path}`;
}

function workerUrl({ worker: { metrics } }: Config, path: string): string {
  return `http://${reachableHost(metrics.host)}:${metrics.port}${path}`;
}

/** Whether the worker works, where it answers and no server does; undefined otherwise. */
async function loneWorker(config: Config): Promise<Observation | undefined> {
  const url = workerUrl(config, '/ready');
  const [server, worker] = await Promise.all([answerAt(serverUrl(config, '/health')), answerAt(url)]);
  if (server !== undefined || worker === undefined) return undefined;
  return worker.status === 200
    ? ok('worker', `${url} says ${worker.text.trim()}`)
    : failure(
        'worker',
        `${url} answers ${worker.status}: ${worker.text.trim()}`,
        'Start the part that it names; the worker goes on by itself then (`journalctl -u try-it-now-worker -e`).',
      );
}

/** What the process here counts, server or worker; undefined while neither answers. */
export async function ownMetrics(config: Config): Promise<string | undefined> {
  for (const url of [serverUrl(config, '/metrics'), workerUrl(config, '/metrics')]) {
    const answer = await answerAt(url);
    if (answer?.status === 200) return answer.text;
  }
  return undefined;
}

async function answerAt(url: string): Promise<{ readonly status: number; readonly text: string } | undefined> {
  try {
    const { statusCode, body } = await request(url, limits());
    return { status: statusCode, text: await body.text() };
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

async function operators({ host, port, operatorKeys, oidc }: Config['admin']): Promise<Observation> {
  const url = `http://${reachableHost(host)}:${port}`;
  const own = operatorKeys.find(({ role }) => role !== PREVIEWS_ROLE);
  if (own === undefined)
    return warning(
      'operators',
      oidc === undefined
        ? 'no operator key is set, so the admin API answers nobody'
        : 'no operator key is set, so no command is answered, and nobody gets in while the log-in provider is gone',
      'Draw one (`openssl rand -hex 24`), set OPERATOR_KEYS or OPERATOR_KEYS_FILE for the server, and restart it.',
    );
  try {
    const { statusCode, body } = await request(`${url}/admin/v1/pools`, {
      ...limits(),
      headers: { 'x-api-key': own.key },
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

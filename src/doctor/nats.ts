import type { ConsumerInfo, StreamInfo } from '@nats-io/jetstream';
import { request } from 'undici';
import { describeError } from '../domain/errors.ts';
import { NO_NODE } from '../domain/node.ts';
import { deadlineSignal } from '../lifecycle/deadline.ts';
import { sleep } from '../lifecycle/sleep.ts';
import { isAstray } from '../queue/astray-consumers.ts';
import type { QueueConnection } from '../queue/connection.ts';
import { newestDeath } from '../queue/dead-reasons.ts';
import {
  CLEANUP_SUBJECTS,
  DEAD_STREAM,
  DEAD_SUBJECTS,
  EXHAUSTED_CONSUMER,
  NODE_PROVISION_SUBJECTS,
  PROVISION_SUBJECT,
  STREAM,
  cleanupConsumer,
  provisionConsumer,
} from '../queue/names.ts';
import { clusterHealth, login, transport } from './nats-cluster.ts';
import { natsHoles } from './known-holes.ts';
import { failure, isAtLeast, notChecked, ok, warning, type Check, type Observation, type Shared } from './check.ts';

const PART = 'NATS';
const OLDEST = [2, 9] as const;
const MONITOR_PORT = 8222;
const MONITOR_TIMEOUT_MS = 2_000;
/** A server with much to do, or a slow disk, may take seconds to answer what JetStream has to be asked for. */
const HANGS_AFTER_MS = 10_000;
/** A worker whose request has run out makes another one within milliseconds. */
const ASKED_AGAIN_MS = 200;
/** The thresholds of the queue's alerts. */
const BACKLOG_WARNING = 50;
const BACKLOG_FAILURE = 100;
const START =
  'Start it (`systemctl start try-it-now-nats`), or where it runs restart it (`systemctl restart try-it-now-nats`), ' +
  'or correct NATS_URL or the login that the line names.';
const START_SERVER =
  'Start the server, which makes it (`systemctl start try-it-now`); one that runs puts it back within seconds.';

const RESTART = 'See its log (`journalctl -u try-it-now-nats`) and restart it (`systemctl restart try-it-now-nats`).';
const GAVE_UP =
  'Make room on its disk. As shipped it is started again by itself within two minutes of that; else restart it ' +
  '(`systemctl restart try-it-now-nats`). See docs/operations.md#nats-stores-nothing.';

/** The server that holds the tasks, and what of ours is in it. */
export function natsChecks(queue: Shared<QueueConnection>, node: string): Check[] {
  return [
    { part: PART, what: 'reachable', remedy: START, run: async () => reachable(await queue.get()) },
    { part: PART, what: 'health', run: async () => health(await queue.need()) },
    {
      part: PART,
      what: 'cluster',
      remedy: 'See that more than half of its servers are up; docs/fleet.md says what that is for.',
      run: async () => clusterHealth(await queue.need()),
    },
    { part: PART, what: 'storage', run: async () => [await storage(await queue.need())] },
    {
      part: PART,
      what: `stream ${STREAM}`,
      run: async () => [
        await stream(await queue.need(), STREAM, [PROVISION_SUBJECT, NODE_PROVISION_SUBJECTS, CLEANUP_SUBJECTS]),
      ],
    },
    {
      part: PART,
      what: `stream ${DEAD_STREAM}`,
      run: async () => [await stream(await queue.need(), DEAD_STREAM, [DEAD_SUBJECTS])],
    },
    ...[...(node === NO_NODE ? [] : [provisionConsumer(node), cleanupConsumer(node)]), EXHAUSTED_CONSUMER].map(
      (name): Check => ({
        part: PART,
        what: `consumer ${name}`,
        run: async () => [await consumer(await queue.need(), name)],
      }),
    ),
    { part: PART, what: 'dead tasks', run: async () => [await deadTasks(await queue.need())] },
  ];
}

function reachable(connection: QueueConnection): Observation[] {
  const { nats, url } = connection;
  const found = nats.info?.version ?? '?';
  return [
    ok('reachable', `answers at ${url}, JetStream is on`),
    transport(connection),
    login(connection),
    isAtLeast(found, OLDEST)
      ? ok('version', found)
      : failure(
          'version',
          `${found}, but ${OLDEST.join('.')} is the oldest that works`,
          'Install a newer one (`apt-get install nats-server`).',
        ),
  ];
}

/** By its monitoring port, where that is the usual one and is this server's. */
async function health({ nats }: QueueConnection): Promise<Observation[]> {
  const base = `http://${new URL(`nats://${nats.getServer()}`).hostname}:${MONITOR_PORT}`;
  const holes = (go: unknown): Observation =>
    natsHoles(nats.info?.version ?? '0', typeof go === 'string' ? go : undefined);
  const ask = async (
    path: string,
    patienceMs = MONITOR_TIMEOUT_MS,
  ): Promise<{ readonly status: number; readonly body: Readonly<Record<string, unknown>> }> => {
    const { statusCode, body } = await request(`${base}${path}`, { signal: deadlineSignal(patienceMs) });
    return { status: statusCode, body: (await body.json()) as Record<string, unknown> };
  };
  let here: Readonly<Record<string, unknown>>;
  try {
    here = (await ask('/varz')).body;
  } catch {
    return [
      notChecked('health', `its monitoring does not answer at ${base}; nats-server -m ${MONITOR_PORT} would`),
      holes(undefined),
    ];
  }
  if (here['server_id'] !== nats.info?.server_id)
    return [notChecked('health', `what answers at ${base} is another server`), holes(undefined)];
  // After a failed write nats-server 2.9 holds a lock for ever, which one of the two waits for.
  const paths = ['/healthz', '/jsz'] as const;
  const asked = await Promise.allSettled(paths.map((path) => ask(path, HANGS_AFTER_MS)));
  for (const [at, each] of asked.entries())
    if (each.status === 'rejected') return [unanswered(`${base}${paths[at] ?? ''}`, each.reason), holes(here['go'])];
  const [healthz] = asked;
  if (healthz?.status !== 'fulfilled' || healthz.value.status === 200)
    return [ok('health', `${base}/healthz says ok`), holes(here['go'])];
  const { status, body } = healthz.value;
  const said = JSON.stringify(body);
  return [
    failure(
      'health',
      `${base}/healthz says ${status}: ${said}`,
      /write error|JetStream not enabled/.test(said) ? GAVE_UP : RESTART,
    ),
    holes(here['go']),
  ];
}

function unanswered(url: string, error: unknown): Observation {
  return error instanceof Error && error.name === 'TimeoutError'
    ? failure('health', `${url} does not answer, but /varz does: JetStream hangs`, GAVE_UP)
    : notChecked('health', `${url} cannot be read: ${describeError(error)}`);
}

async function storage({ manager }: QueueConnection): Promise<Observation> {
  const {
    storage: used,
    limits: { max_storage: most },
  } = await manager.getAccountInfo();
  const seen = `${Math.ceil(used / 2 ** 20)} MiB of tasks${most > 0 ? ` of ${Math.floor(most / 2 ** 20)} MiB` : ''}`;
  return most <= 0 || used < most * 0.9
    ? ok('storage', seen)
    : failure(
        'storage',
        seen,
        'Raise `max_file_store` in its configuration, or purge what is dead (`try-it-now queue purge dead`).',
      );
}

async function stream({ manager }: QueueConnection, name: string, subjects: readonly string[]): Promise<Observation> {
  const what = `stream ${name}`;
  let found: StreamInfo;
  try {
    found = await manager.streams.info(name);
  } catch (error) {
    return failure(what, `is not there (${describeError(error)})`, START_SERVER);
  }
  const missing = subjects.filter((subject) => !found.config.subjects.includes(subject));
  if (missing.length > 0) return failure(what, `does not take ${missing.join(', ')}`, START_SERVER);
  return ok(what, `${found.state.messages} messages`);
}

async function consumer({ manager }: QueueConnection, name: string): Promise<Observation> {
  const what = `consumer ${name}`;
  let found: ConsumerInfo;
  try {
    found = await manager.consumers.info(STREAM, name);
    if (isLeft(found)) {
      await sleep(ASKED_AGAIN_MS);
      found = await manager.consumers.info(STREAM, name);
    }
  } catch (error) {
    return failure(what, `is not there (${describeError(error)}): nothing takes its tasks`, START_SERVER);
  }
  const { num_pending: pending, num_ack_pending: underWay, num_redelivered: redelivered } = found;
  // Read after the consumer: the stream only grows.
  const { state } = await manager.streams.info(STREAM);
  if (isAstray(found, state.last_seq))
    return failure(
      what,
      `remembers task ${found.delivered.stream_seq}, but the stream has only come to ${state.last_seq}: NATS lost ` +
        'tasks (a power cut, an older copy of its files), and nothing more is handed out',
      START_SERVER,
    );
  const seen = `${pending} waiting, ${underWay} under way, ${redelivered} delivered again`;
  if (isLeft(found)) {
    return failure(
      what,
      `${seen}; no worker asks for tasks`,
      'Start the server (`systemctl start try-it-now`, or try-it-now-worker on a further node), or restart it ' +
        'where it runs already.',
    );
  }
  const more =
    'Raise QUEUE_WORKER_COUNT and restart the server (`systemctl restart try-it-now`), or see what keeps ' +
    'failing (`try-it-now queue info`).';
  if (pending > BACKLOG_FAILURE) return failure(what, `${seen}: the workers do not keep up`, more);
  return pending > BACKLOG_WARNING ? warning(what, `${seen}: the workers hardly keep up`, more) : ok(what, seen);
}

/** Nobody takes its tasks. */
function isLeft({ num_waiting: asking, num_ack_pending: underWay }: ConsumerInfo): boolean {
  return asking === 0 && underWay === 0;
}

async function deadTasks(connection: QueueConnection): Promise<Observation> {
  const {
    state: { messages },
  } = await connection.manager.streams.info(DEAD_STREAM);
  if (messages === 0) return ok('dead tasks', 'none');
  const newest = await newestDeath(connection);
  const why = newest === undefined ? '' : `; the last, ${newest.diedAt.toISOString()}: ${newest.reason}`;
  return warning(
    'dead tasks',
    `${messages}${why}`,
    'Fix the cause, then `try-it-now queue retry --all`, or forget them with `try-it-now queue purge dead`.',
  );
}

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clusterHealth } from '../../src/doctor/nats-cluster.ts';
import type { ProvisionTask } from '../../src/domain/task.ts';
import type { TaskQueue } from '../../src/pool/interfaces/task-queue.ts';
import { connectQueue, type QueueConnection } from '../../src/queue/connection.ts';
import { CopiesWatch } from '../../src/queue/copies.ts';
import { createPublisher } from '../../src/queue/publisher.ts';
import { DELIVERY_POLICY, ensureStreamsAndConsumers } from '../../src/queue/stream-and-consumers.ts';
import { tasksReach } from '../../src/queue/tasks-reach.ts';
import { startWorkers } from '../../src/queue/worker.ts';
import { eventually } from '../support/eventually.ts';
import { NatsCluster, type ClusterNode } from '../support/nats-cluster.ts';
import { LogBook, RecordingHandlers, provisionTask } from '../support/queue.ts';

const WIDTH = 4;
const asked = process.env['CLUSTER_DRILL'] === '1';
if (!asked)
  process.stdout.write('Skipped: tasks through a cluster that loses servers; `npm run nats-cluster` runs them.\n');

/** Tasks queued by some, each again until that is confirmed, and done by workers, all through whatever happens. */
class Flow implements AsyncDisposable {
  readonly log = new LogBook();
  readonly handlers = new RecordingHandlers();
  readonly sent: ProvisionTask[] = [];
  /** Those whose first confirmation never came: NATS may have them twice. */
  readonly repeated = new Set<string>();
  #running = true;
  readonly #close: () => Promise<void>;
  readonly #producers: Promise<unknown>;
  readonly #queue: TaskQueue;
  readonly connection: QueueConnection;

  private constructor(connection: QueueConnection, close: () => Promise<void>) {
    this.connection = connection;
    this.#close = close;
    this.#queue = createPublisher({ connection, log: this.log });
    const produce = async (): Promise<void> => {
      while (this.#running) {
        const task = provisionTask();
        const queued = await eventually(
          () =>
            this.#queue.publishProvision([task]).catch((error: unknown) => {
              this.repeated.add(task.id);
              throw error;
            }),
          { timeoutMs: 120_000 },
        ).then(() => true);
        if (queued) this.sent.push(task);
      }
    };
    this.#producers = Promise.all(Array.from({ length: WIDTH }, produce));
  }

  static async start(url: string): Promise<Flow> {
    const log = new LogBook();
    const connection = await connectQueue({ url, replicas: 3, log });
    const worker = await connectQueue({ url, replicas: 3, log });
    const flow = new Flow(connection, async () => {
      await workers.stop(10_000);
      await worker.close();
      await connection.close();
    });
    const workers = await startWorkers({
      connection: worker,
      node: 'node0',
      count: WIDTH,
      handlers: flow.handlers,
      log,
    });
    return flow;
  }

  /** Until this many more have been done than before. */
  async progress(more = 50): Promise<void> {
    const before = this.handlers.calls.length;
    await eventually(() => expect(this.handlers.calls.length).toBeGreaterThanOrEqual(before + more), {
      timeoutMs: 120_000,
    });
  }

  /** No more are queued; all that were are done. Returns those that were done more than once. */
  async end(): Promise<readonly string[]> {
    this.#running = false;
    await this.#producers;
    await eventually(() => this.#allDone(), { timeoutMs: 120_000, everyMs: 1_000 });
    const ids = this.handlers.ids();
    return [...new Set(ids.filter((id, at) => ids.indexOf(id) !== at))];
  }

  /** As the pool does: what NATS hands to nobody any more is taken out, and queued again where it is not done. */
  async #allDone(): Promise<void> {
    const done = new Set(this.handlers.ids());
    const left = this.sent.filter(({ id }) => !done.has(id));
    const stuck = await this.#queue.leftovers();
    await this.#queue.discard(stuck);
    const again = left.filter(({ id }) => stuck.some(({ task }) => task?.id === id));
    if (again.length > 0) await this.#queue.publishProvision(again);
    expect(left).toEqual([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#running = false;
    await this.#close();
  }
}

describe('a cluster of three', () => {
  let cluster: NatsCluster;
  beforeAll(async () => {
    cluster = await NatsCluster.start();
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  const leader = async ({ manager }: QueueConnection): Promise<ClusterNode> =>
    eventually(async () => {
      const { cluster: peers } = await manager.streams.info('PROVISIONING');
      if (peers?.leader === undefined) throw new Error('nobody leads');
      return cluster.node(peers.leader);
    });

  it.skipIf(!asked)('loses no task and does none twice when each leader in turn is killed and comes back', async () => {
    await using flow = await Flow.start(cluster.url);
    for (let round = 0; round < 3; round += 1) {
      await flow.progress();
      const node = await leader(flow.connection);
      await node.kill();
      await flow.progress();
      await node.start();
      await cluster.healthy();
    }
    const twice = await flow.end();
    // Handed out again because its ack was lost, it is only acked; queued again because its confirmation was lost, it
    // is another task to NATS.
    expect(twice.filter((id) => !flow.repeated.has(id))).toEqual([]);
    expect(flow.log.with('lacked streams')).toEqual([]);
  });

  it.skipIf(!asked)('goes on while its leader hangs, and when that is back', async () => {
    await using flow = await Flow.start(cluster.url);
    await flow.progress();
    const node = await leader(flow.connection);
    await node.hang();
    try {
      await flow.progress();
    } finally {
      node.goOn();
    }
    await cluster.healthy();
    await flow.progress();
    const twice = await flow.end();
    expect(twice.filter((id) => !flow.repeated.has(id))).toEqual([]);
  });

  it.skipIf(!asked)(
    'takes nothing without a majority, says so, and goes on where it was when that is back',
    async () => {
      await using flow = await Flow.start(cluster.url);
      await flow.progress();
      const [one, another] = cluster.nodes;
      await Promise.all([one?.kill(), another?.kill()]);
      const queue = createPublisher({ connection: flow.connection, log: flow.log });
      await eventually(() =>
        expect(queue.publishProvision([provisionTask()])).rejects.toMatchObject({ code: 'queue_unavailable' }),
      );
      await Promise.all([one?.start(), another?.start()]);
      await flow.progress();
      const twice = await flow.end();
      expect(twice.filter((id) => !flow.repeated.has(id))).toEqual([]);
    },
  );

  it('is well, short of a copy, or without a leader, and the doctor and scrapes say which', async () => {
    const [kept, lost, ...others] = cluster.nodes;
    if (kept === undefined || lost === undefined) throw new Error('three servers were asked for');
    const log = new LogBook();
    const connection = await connectQueue({ url: kept.url, replicas: 3, log });
    const watch = new CopiesWatch(connection);
    await ensureStreamsAndConsumers(connection, 'node0', DELIVERY_POLICY);
    const seen = async (): Promise<string[]> =>
      (await clusterHealth(connection)).map(({ verdict, what, seen: words }) => `${verdict}: ${what}: ${words}`);
    const scraped = async (isLed: boolean, missing: number | undefined): Promise<void> =>
      expect(await watch.look()).toMatchObject(
        // Those for webhooks nobody has made, which nobody says without a majority.
        ['PROVISIONING', 'PROVISIONING_DEAD'].map((stream) => ({
          stream,
          isLed,
          missing,
          areConsumersLed: isLed ? true : undefined,
        })),
      );
    try {
      // A copy in which nothing happens may be called behind for long.
      const fine = async (): Promise<void> => {
        const [first, ...more] = await seen();
        expect(first).toMatch(/^ok: cluster: try-it-now: 3 servers known; (nats-\d(, )?)+ lead$/);
        expect(more.filter((line) => !line.includes('are whole; behind'))).toEqual([]);
      };
      await eventually(fine);
      await eventually(async () => expect(await tasksReach(connection, 'node0')).toBe(true));
      await eventually(async () => {
        expect((await watch.look()).map(({ isLed, areConsumersLed }) => [isLed, areConsumersLed])).toEqual([
          [true, true],
          [true, true],
        ]);
      });
      const other = await connectQueue({ url: kept.url, replicas: 5, log });
      expect((await clusterHealth(other)).map((each) => each.seen)).toContain(
        '3 are set on it, but QUEUE_REPLICAS is 5',
      );
      await other.close();

      await lost.kill();
      await eventually(async () =>
        expect((await seen()).filter((line) => /2 of 3 are whole; .*nats-1$/.test(line))).toHaveLength(5),
      );
      await eventually(() => scraped(true, 1));
      await Promise.all(others.map((node) => node.kill()));
      await eventually(async () => {
        const answer = await seen().catch((error: unknown) => [String(error)]);
        expect(answer.join()).toMatch(/no server leads it|could not be listed/);
      });
      await eventually(() => scraped(false, undefined));
      // The one that is left answers pings all the time.
      await connection.nats.rtt();
      // Where it leads the consumer, it does so until it has heard of no other for 10 s.
      await eventually(async () => expect(await tasksReach(connection, 'node0')).toBe(false));
      await Promise.all([lost, ...others].map((node) => node.start()));
      await eventually(fine);
      await eventually(async () => expect(await tasksReach(connection, 'node0')).toBe(true));
    } finally {
      await connection.close();
    }
  });
});

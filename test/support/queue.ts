import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JetStreamManager } from '@nats-io/jetstream';
import { newInstanceId } from '../../src/domain/ids.ts';
import type { Log } from '../../src/domain/log.ts';
import type { CleanupTask, ProvisionTask, Task } from '../../src/domain/task.ts';
import { launchNats, type LaunchedNats } from '../../src/launcher/nats.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import type { TaskContext, TaskHandlers } from '../../src/pool/interfaces/task-handlers.ts';
import type { TaskQueue } from '../../src/pool/interfaces/task-queue.ts';
import { connectQueue, type QueueConnection, type QueueConnectionOptions } from '../../src/queue/connection.ts';
import { STREAM } from '../../src/queue/names.ts';
import { createPublisher } from '../../src/queue/publisher.ts';
import type { DeliveryPolicy } from '../../src/queue/stream-and-consumers.ts';
import { startWorkers, type Workers, type WorkerOptions } from '../../src/queue/worker.ts';

/** Quick to try again what failed. No worker is taken for dead, however busy the machine is. */
export const QUICK: DeliveryPolicy = { ackWaitMs: 30_000, attempts: 3, backoff: { baseMs: 20, maxMs: 40 } };
/** Quick enough, too, to watch what a silent worker holds go to another. */
export const SOON_AGAIN: DeliveryPolicy = { ...QUICK, ackWaitMs: 1_000 };

export const provisionTask = (node?: string): ProvisionTask => ({
  v: 1,
  kind: 'provision',
  id: newInstanceId(),
  template: 'hello',
  ...(node === undefined ? {} : { node }),
});
export const cleanupTask = (node = 'node0'): CleanupTask => ({ v: 1, kind: 'cleanup', id: newInstanceId(), node });

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A log that keeps its lines. */
export class LogBook implements Log {
  readonly lines: LogLine[] = [];
  debug(fields: object, message: string): void {
    this.#keep('debug', fields, message);
  }
  info(fields: object, message: string): void {
    this.#keep('info', fields, message);
  }
  warn(fields: object, message: string): void {
    this.#keep('warn', fields, message);
  }
  error(fields: object, message: string): void {
    this.#keep('error', fields, message);
  }
  child(): Log {
    return this;
  }

  with(message: string): LogLine[] {
    return this.lines.filter((line) => line.message.includes(message));
  }

  #keep(level: string, fields: object, message: string): void {
    this.lines.push({ level, message, fields: { ...fields } });
  }
}

export interface Call {
  readonly task: Task;
  readonly context: TaskContext;
}

/** The pool's side of the queue: notes what it is given, and does as the test says. */
export class RecordingHandlers implements TaskHandlers {
  readonly calls: Call[] = [];
  readonly abandonments: { readonly task: Task | undefined; readonly reason: string; readonly unseen: boolean }[] = [];
  /** At work right now, by kind. */
  readonly running = { provision: 0, cleanup: 0 };
  readonly mostAtOnce = { provision: 0, cleanup: 0 };
  work: (call: Call) => Promise<void> | void = () => undefined;
  onAbandoned: () => Promise<void> | void = () => undefined;

  provision(task: ProvisionTask, context: TaskContext): Promise<void> {
    return this.#handle({ task, context });
  }
  cleanup(task: CleanupTask, context: TaskContext): Promise<void> {
    return this.#handle({ task, context });
  }
  async deadLettered(task: Task | undefined, reason: string, unseen: boolean): Promise<void> {
    this.abandonments.push({ task, reason, unseen });
    await this.onAbandoned();
  }

  ids(): string[] {
    return this.calls.map(({ task }) => task.id);
  }

  async #handle(call: Call): Promise<void> {
    const { kind } = call.task;
    this.calls.push(call);
    this.running[kind] += 1;
    this.mostAtOnce[kind] = Math.max(this.mostAtOnce[kind], this.running[kind]);
    try {
      await this.work(call);
    } finally {
      this.running[kind] -= 1;
    }
  }
}

/** NATS may write its state just then, and says that its folder is not empty: it is gone all the same. */
export async function loseConsumer(manager: JetStreamManager, consumer: string): Promise<void> {
  try {
    if (!(await manager.consumers.delete(STREAM, consumer))) throw new Error(`${consumer} was not deleted`);
  } catch (error) {
    if (!String(error).includes('directory not empty')) throw error;
  }
}

/** Closed until opened: what holds a handler for as long as the test wants. */
export class Gate {
  readonly #opened: Promise<void>;
  #open: () => void = () => undefined;
  constructor() {
    this.#opened = new Promise((resolve) => {
      this.#open = resolve;
    });
  }
  open(): void {
    this.#open();
  }
  passed(): Promise<void> {
    return this.#opened;
  }
}

/** A NATS server of the test's own, with everything the test opened on it. */
export class TestNats implements AsyncDisposable {
  readonly log = new LogBook();
  readonly #releasers = new Releasers();
  #launched: LaunchedNats;
  #dir: string;

  private constructor(launched: LaunchedNats, dir: string) {
    this.#launched = launched;
    this.#dir = dir;
  }

  static async start(): Promise<TestNats> {
    const dir = await newDir();
    return new TestNats(await launchNats({ dir, port: await freePort(), monitorPort: await freePort() }), dir);
  }

  get url(): string {
    return this.#launched.url;
  }
  get monitorUrl(): string {
    return this.#launched.monitorUrl;
  }
  get server(): LaunchedNats['server'] {
    return this.#launched.server;
  }

  async connect(options: Partial<QueueConnectionOptions> = {}): Promise<QueueConnection> {
    const connection = await connectQueue({ url: this.url, log: this.log, ...options });
    this.#releasers.push('connection', () => connection.close());
    return connection;
  }

  async publisher(timeoutMs?: number): Promise<{ connection: QueueConnection; queue: TaskQueue }> {
    const connection = await this.connect();
    return {
      connection,
      queue: createPublisher({ connection, log: this.log, ...(timeoutMs === undefined ? {} : { timeoutMs }) }),
    };
  }

  async workers(
    handlers: TaskHandlers,
    options: Partial<WorkerOptions> = {},
  ): Promise<Workers & { readonly connection: QueueConnection }> {
    const connection = options.connection ?? (await this.connect());
    const workers = await startWorkers({
      node: 'node0',
      count: 2,
      log: this.log,
      policy: QUICK,
      ...options,
      connection,
      handlers,
    });
    this.#releasers.push('workers', () => workers.stop(0));
    return {
      stop: (graceMs) => workers.stop(graceMs),
      untilIdle: (limitMs) => workers.untilIdle(limitMs),
      get inFlight() {
        return workers.inFlight;
      },
      connection,
    };
  }

  async down(): Promise<void> {
    await this.server.stop();
  }

  /** Again on the same port. `emptied` has it come up with a new store, which it may fill before anybody else can. */
  async up({
    emptied,
  }: { readonly emptied?: (connection: QueueConnection) => Promise<void> | void } = {}): Promise<void> {
    const { url, monitorUrl } = this;
    if (emptied !== undefined) {
      await rm(this.#dir, { recursive: true, force: true });
      this.#dir = await newDir();
      await using elsewhere = await launchNats({
        dir: this.#dir,
        port: await freePort(),
        monitorPort: await freePort(),
      });
      const connection = await connectQueue({ url: elsewhere.url, log: this.log });
      await emptied(connection);
      await connection.close();
    }
    this.#launched = await launchNats({
      dir: this.#dir,
      port: Number(new URL(url).port),
      monitorPort: Number(new URL(monitorUrl).port),
    });
  }

  /** Stops, has the folder with the files of PROVISIONING's tasks changed, and comes up again on the same port. */
  async whileDown(change: (taskFiles: string) => Promise<void>): Promise<void> {
    await this.down();
    await change(join(this.#dir, 'jetstream', '$G', 'streams', 'PROVISIONING', 'msgs'));
    await this.up();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#releasers.releaseAll(this.log);
    await this.server.stop();
    await rm(this.#dir, { recursive: true, force: true });
  }
}

function newDir(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'try-it-now-nats-'));
}

import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { connect as connectNats, type NatsConnection } from '@nats-io/transport-node';
import { Redis as Valkey } from 'iovalkey';
import { pino } from 'pino';
import { request } from 'undici';
import { expect } from 'vitest';
import { discrepanciesSoFar, type AuditTarget } from './state-audit.ts';
import { eventually } from './eventually.ts';
import { startStack, type Stack, type StackOptions } from './stack.ts';

export interface Line {
  readonly level: number;
  readonly msg: string;
  readonly reason?: string;
  readonly [field: string]: unknown;
}

/** What the server wrote, as the operator reads it. */
export class LineBook {
  readonly lines: Line[] = [];
  readonly log = pino(
    { level: 'info' },
    {
      write: (line: string) => {
        this.lines.push(JSON.parse(line) as Line);
      },
    },
  );

  with(text: string): Line[] {
    return this.lines.filter(({ msg }) => msg.includes(text));
  }
}

export interface RunbookOptions extends Omit<StackOptions, 'log'> {
  /** Of a simulated engine's own process, so that containers outlive what is done to the server. */
  readonly simulatedSocket?: string;
}

export const PATIENT = { timeoutMs: 60_000, everyMs: 50 };
/** What was cut off comes up again after several periods of the server's own. */
const SETTLING = { ...PATIENT, timeoutMs: 150_000 };

/**
 * What somebody with the runbook has before them: the running parts, and the tools it names. The `nats` CLI is not
 * packaged for Debian; what it would do is asked of the same JetStream API. `valkey-cli` is a client of Valkey here.
 */
export class RunbookDeployment implements AsyncDisposable {
  readonly stack: Stack;
  readonly book: LineBook;
  readonly auditTarget: AuditTarget;
  readonly valkey: Valkey;
  readonly queue: JetStreamManager;
  readonly nats: NatsConnection;

  private constructor(
    stack: Stack,
    book: LineBook,
    auditTarget: AuditTarget,
    nats: NatsConnection,
    queue: JetStreamManager,
  ) {
    this.stack = stack;
    this.book = book;
    this.auditTarget = auditTarget;
    this.nats = nats;
    this.queue = queue;
    this.valkey = new Valkey(stack.config.valkey.port, stack.config.valkey.host);
    // It is restarted in some drills.
    this.valkey.on('error', () => undefined);
  }

  /** Resolves when the pools are full, unless told otherwise. */
  static async open(
    { simulatedSocket, ...options }: RunbookOptions,
    { full = true }: { readonly full?: boolean } = {},
  ): Promise<RunbookDeployment> {
    const book = new LineBook();
    const env = {
      QUEUE_WORKER_COUNT: '2',
      ...(simulatedSocket === undefined ? {} : { SIMULATED_SOCKET: simulatedSocket }),
      ...options.env,
    };
    const stack = await startStack({ reconcileIntervalMs: 1_000, ...options, env, log: book.log });
    try {
      const nats = await connectNats({
        servers: new URL(stack.nats.url).host,
        maxReconnectAttempts: -1,
        reconnectTimeWait: 100,
      });
      const opened = new RunbookDeployment(
        stack,
        book,
        auditTargetOf(stack, simulatedSocket ?? options.socketPath ?? ''),
        nats,
        await jetstreamManager(nats),
      );
      if (full) await opened.settled();
      return opened;
    } catch (error) {
      await stack[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Until the recorded state is consistent, the pools are full, nothing is under way, and no task is dead but what
   * `mayDie` allows by its reason.
   */
  async settled({
    mayDie = /^never$/,
    targets = this.auditTarget.targets,
  }: { readonly mayDie?: RegExp; readonly targets?: AuditTarget['targets'] } = {}): Promise<void> {
    await eventually(async () => {
      const problems = await discrepanciesSoFar({ ...this.auditTarget, targets });
      const dead = (await this.deadTasks()).filter((reason) => !mayDie.test(reason));
      expect([...problems.filter((problem) => !problem.endsWith(' tasks are dead')), ...dead]).toEqual([]);
    }, SETTLING);
  }

  async stats(): Promise<Readonly<Record<string, number>>> {
    return (await (await fetch(`${this.stack.api}/api/v1/pool/stats`)).json()) as Record<string, number>;
  }

  /** The reasons of the dead tasks. */
  async deadTasks(): Promise<string[]> {
    const { state } = await this.queue.streams.info('PROVISIONING_DEAD');
    const sequences = Array.from(
      { length: state.messages === 0 ? 0 : state.last_seq - state.first_seq + 1 },
      (_, at) => state.first_seq + at,
    );
    const found = await Promise.all(
      sequences.map((seq) => this.queue.streams.getMessage('PROVISIONING_DEAD', { seq })),
    );
    return found.flatMap((message) => (message === null ? [] : [message.header.get('Try-It-Now-Reason')]));
  }

  /** 0 for a series that is not there. */
  async metric(series: string): Promise<number> {
    const text = await (await fetch(`${this.stack.api}/metrics`)).text();
    return Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${series} `))
        ?.slice(series.length + 1) ?? 0,
    );
  }

  async acquire(): Promise<{ readonly id: string; readonly url: string }> {
    const answer = await fetch(`${this.stack.api}/api/v1/demo/acquire`, { method: 'POST' });
    const body = await answer.text();
    if (answer.status !== 201) throw new Error(`acquire was answered ${answer.status}: ${body}`);
    return JSON.parse(body) as { id: string; url: string };
  }

  /** Throws when it was not given back. */
  async release({ id }: { readonly id: string }): Promise<void> {
    const answer = await fetch(`${this.stack.api}/api/v1/demo/${id}`, { method: 'DELETE' });
    if (answer.status !== 204) throw new Error(`the release was answered ${answer.status}: ${await answer.text()}`);
  }

  /** What a visitor's browser gets through the proxy. */
  async visit({ url }: { readonly url: string }): Promise<number> {
    const { host, pathname } = new URL(url);
    const answer = await request(`${this.stack.proxy}${pathname}`, { headers: { host }, reset: true });
    await answer.body.dump();
    return answer.statusCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.valkey.disconnect();
    await this.nats.close();
    await this.stack[Symbol.asyncDispose]();
  }
}

function auditTargetOf({ config, nats, caddy, proxy }: Stack, socketPath: string): AuditTarget {
  const { start, end } = config.containers.portRange;
  return {
    valkeyPort: config.valkey.port,
    natsUrl: nats.url,
    caddyAdminUrl: caddy.adminUrl,
    proxyPort: Number(new URL(proxy).port),
    deployment: config.deployment,
    portRange: [start, end],
    engine: { kind: config.containers.mode === 'simulated' ? 'simulated' : 'podman', socketPath },
    targets: Object.fromEntries(config.templates.map(({ name, pool }) => [name, pool.target])),
  };
}

import { request as httpRequest, type IncomingMessage } from 'node:http';
import { json as jsonOf } from 'node:stream/consumers';
import type { Static, TSchema } from 'typebox';
import Value from 'typebox/value';
import { deadlineSignal } from '../../lifecycle/deadline.ts';
import type {
  CommandOutput,
  ContainerCondition,
  ContainerRuntime,
  ContainerSpec,
  ContainerSummary,
  ExecResult,
} from '../../pool/interfaces/container-runtime.ts';
import { engineFailure } from '../docker/engine-errors.ts';
import { SIMULATED_ENGINE_PATIENCE_MS } from '../engine-patience.ts';
import { readEvents } from '../event-lines.ts';
import { LOOPBACK } from '../isolation/publishing.ts';
import { SIMULATED } from './descriptor.ts';
import { ANY_CONTAINERS, CONTAINER, CONTAINERS, EXEC_RESULT, INSPECTION, LOGS, REFUSAL } from './engine-messages.ts';
import { simulatedSpec, wholeOutput, type Owner } from './simulated-host.ts';

export interface RemoteSimulatedOptions extends Owner {
  readonly socketPath: string;
  /** Where its containers listen; on loopback without it. */
  readonly address?: string;
  /** An engine that does not answer within it has hung. */
  readonly patienceMs?: number;
}

/**
 * A client of a simulated engine that is a process of its own: what it started is still there
 * when this process has ended.
 */
export class RemoteSimulatedRuntime implements ContainerRuntime {
  readonly engine = SIMULATED.name;
  readonly #socketPath: string;
  readonly #owner: Owner;
  readonly #address: string;
  readonly #patienceMs: number;

  constructor({
    socketPath,
    deployment,
    node,
    address = LOOPBACK.address,
    patienceMs = SIMULATED_ENGINE_PATIENCE_MS,
  }: RemoteSimulatedOptions) {
    this.#socketPath = socketPath;
    this.#owner = { deployment, node };
    this.#address = address;
    this.#patienceMs = patienceMs;
  }

  async prepare(): Promise<void> {
    await this.#ask('be asked for an answer', 'GET', '/_ping');
  }

  async start(spec: ContainerSpec, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { name, ...body } = simulatedSpec(spec, { owner: this.#owner, address: this.#address });
    await this.#ask(`start ${name}`, 'POST', `${path(name)}/start`, { body });
    if (signal.aborted) {
      await this.remove(name);
      signal.throwIfAborted();
    }
  }

  async remove(name: string): Promise<void> {
    await this.#ask(`remove ${name}`, 'DELETE', path(name));
  }

  async exec(name: string, _call: unknown, signal: AbortSignal): Promise<ExecResult> {
    signal.throwIfAborted();
    return this.#read(EXEC_RESULT, `run a command in ${name}`, 'POST', `${path(name)}/exec`);
  }

  async output(name: string, command: readonly string[], signal: AbortSignal): Promise<CommandOutput> {
    return wholeOutput(await this.exec(name, command, signal));
  }

  async inspect(name: string): Promise<ContainerCondition | undefined> {
    return (await this.#read(INSPECTION, `look for ${name}`, 'GET', `${path(name)}/inspect`)).condition;
  }

  /** There is nothing in it. */
  inside(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  async logs(name: string, tail: number): Promise<string> {
    return (await this.#read(LOGS, `show the output of ${name}`, 'GET', `${path(name)}/logs?tail=${tail}`)).text;
  }

  async list(): Promise<ContainerSummary[]> {
    return (await this.#read(CONTAINERS, 'list containers', 'GET', `/containers?${this.#query()}`)).map(summary);
  }

  async watch(gone: (container: ContainerSummary) => void, signal: AbortSignal): Promise<void> {
    const events = `/events?${this.#query({ since: String(Date.now()) })}`;
    try {
      await readEvents(
        () => send(this.#socketPath, 'GET', events, undefined),
        (event) => gone(summary(Value.Parse(CONTAINER, event))),
        signal,
      );
    } catch (error) {
      throw engineFailure(error, this.#title, 'tell which containers end');
    }
  }

  async unprepare(): Promise<boolean> {
    return !(await this.#read(ANY_CONTAINERS, 'look for containers', 'GET', `/any?${this.#query()}`)).any;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  get #title(): { readonly title: string; readonly socketPath: string } {
    return { title: SIMULATED.title, socketPath: this.#socketPath };
  }

  #query(more: Readonly<Record<string, string>> = {}): string {
    return new URLSearchParams({ ...this.#owner, ...more }).toString();
  }

  async #read<T extends TSchema>(schema: T, what: string, method: string, at: string): Promise<Static<T>> {
    const answer = await this.#ask(what, method, at);
    try {
      return Value.Parse(schema, answer);
    } catch (error) {
      throw engineFailure(error, this.#title, what);
    }
  }

  async #ask(what: string, method: string, at: string, { body }: { readonly body?: unknown } = {}): Promise<unknown> {
    try {
      return await jsonOf(await send(this.#socketPath, method, at, body, deadlineSignal(this.#patienceMs)));
    } catch (error) {
      throw engineFailure(error, this.#title, what);
    }
  }
}

function path(name: string): string {
  return `/containers/${encodeURIComponent(name)}`;
}

function summary({ name, instanceId, keepUntilMs, running }: Static<typeof CONTAINER>): ContainerSummary {
  return { name, instanceId, running, ...(keepUntilMs === undefined ? {} : { keepUntilMs }) };
}

/** Throws an error with the answer's status code when it is a refusal. */
async function send(
  socketPath: string,
  method: string,
  at: string,
  body: unknown,
  signal?: AbortSignal,
): Promise<IncomingMessage> {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = httpRequest(
      { socketPath, method, path: at, agent: false, ...(signal === undefined ? {} : { signal }) },
      resolve,
    ).once('error', reject);
    if (body === undefined) {
      sent.end();
      return;
    }
    const text = Buffer.from(JSON.stringify(body));
    sent.setHeader('content-length', text.length).setHeader('content-type', 'application/json').end(text);
  });
  const statusCode = answer.statusCode ?? 0;
  if (statusCode < 400) return answer;
  const json: unknown = await jsonOf(answer);
  throw Object.assign(new Error(Value.Check(REFUSAL, json) ? json.message : `status ${statusCode}`), {
    statusCode,
    json,
  });
}

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { Consumption } from '../../src/pool/interfaces/consumption.ts';
import type { RealEngine } from './container-engine.ts';
import type { LimitedCalls } from './limited-calls.ts';

const CALLS = new URL('limited-calls.ts', import.meta.url).href;
const UNITS = new URL('../../deploy/systemd/', import.meta.url);

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly failure?: string;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

const METHODS = [
  ...['memory', 'storage', 'locate', 'forget', 'kill', 'memoryOf', 'swap', 'swapOut', 'cpuMs', 'outputMs', 'cpuLimit'],
  ...['limitCpu', 'cpuShare', 'weighCpu', 'refusedProcesses', 'isConnected', 'diskUse', 'connectionsTo'],
] as readonly (keyof Consumption)[];

/** Of root's rights, those that a unit leaves, as CAP_…. */
export async function rightsOf(unit: string): Promise<readonly string[]> {
  const text = await readFile(new URL(unit, UNITS), 'utf8');
  return [...text.matchAll(/^CapabilityBoundingSet=(.+)$/gm)].flatMap(([, rights = '']) => rights.split(' '));
}

/** A process of root's with no other rights than these, which does what the server does under its unit. */
export class LimitedProcess implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;

  constructor(rights: readonly string[]) {
    const set = ['-all', ...rights.map((right) => `+${right.toLowerCase().replace(/^cap_/, '')}`)].join(',');
    const program = [process.execPath, '--import', 'tsx', '--input-type=module', '--eval', `await import('${CALLS}')`];
    this.#process = spawn('setpriv', [`--bounding-set=${set}`, '--no-new-privs', ...program], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      serialization: 'advanced',
    });
    this.#exited = once(this.#process, 'exit').then(() => {
      for (const { reject } of this.#waiting.values()) reject(new Error('the process with few rights has ended'));
    });
    this.#process.on('message', ({ id, value, failure }: Answer) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (failure === undefined) waiting?.resolve(value);
      else waiting?.reject(new Error(failure));
    });
  }

  call<K extends keyof LimitedCalls>(what: K, ...args: Parameters<LimitedCalls[K]>): ReturnType<LimitedCalls[K]> {
    this.#calls += 1;
    const id = this.#calls;
    const answer = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#process.send({ id, what, args }, (error) => {
      if (error !== null) this.#waiting.get(id)?.reject(error);
    });
    return answer as ReturnType<LimitedCalls[K]>;
  }

  /** What containers take of the host, as far as it sees and may. */
  consumption(engine: RealEngine, socketPath: string, deployment: string): Consumption {
    const at = [engine, socketPath, deployment] as const;
    const passOn =
      (method: keyof Consumption) =>
      (...args: readonly unknown[]): Promise<unknown> =>
        this.call(
          'consumption',
          at,
          method,
          args.filter((arg) => !(arg instanceof AbortSignal)),
        );
    return Object.fromEntries(METHODS.map((method) => [method, passOn(method)])) as unknown as Consumption;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#exited;
  }
}

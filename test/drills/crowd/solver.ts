import { execFile, fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Challenge } from '../../../packages/client/src/proof.ts';

const run = promisify(execFile);
const PROCESS = fileURLToPath(new URL('solver-process.ts', import.meta.url));

type Answer = { readonly id: number } & ({ readonly altcha: string } | { readonly error: string });

/**
 * Solves challenges for all visitors. Their browsers do it on machines of their own, so here it runs only while nobody
 * else wants a processor: what a page takes must not depend on who proves work meanwhile.
 */
export class Solver implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (altcha: string) => void; reject: (error: Error) => void }>();
  #last = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (answer: Answer) => {
      const asked = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if ('altcha' in answer) asked?.resolve(answer.altcha);
      else asked?.reject(new Error(answer.error));
    });
    child.on('exit', () => {
      for (const { reject } of this.#waiting.values())
        reject(new Error('the process that solves challenges has ended'));
    });
  }

  static async start(): Promise<Solver> {
    const child = fork(PROCESS, { execArgv: ['--import', 'tsx'] });
    await once(child, 'spawn');
    await run('chrt', ['--all-tasks', '--idle', '--pid', '0', String(child.pid)]);
    return new Solver(child);
  }

  solve(challenge: Challenge): Promise<string> {
    const id = (this.#last += 1);
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, challenge });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.disconnect();
    await exited;
  }
}

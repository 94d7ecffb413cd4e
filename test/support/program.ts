import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What people run. */
export const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** The built program as people run it. `make test` builds it beforehand. */
export class Program implements AsyncDisposable {
  readonly #process: ChildProcess;
  output = '';
  readonly exitCode: Promise<number | null>;

  /** `stdout`: a descriptor that its output goes to instead. `main`: of another version. `uid`: another user's. */
  constructor(
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    stdout: number | 'pipe' = 'pipe',
    main: string = MAIN,
    uid?: number,
  ) {
    this.#process = spawn(process.execPath, [main, ...args], {
      stdio: ['ignore', stdout, 'pipe'],
      ...(uid === undefined ? {} : { uid, gid: uid }),
      env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/', ...env },
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        this.output += chunk;
      });
    }
    this.exitCode = new Promise((resolve) => this.#process.once('close', resolve));
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.exitCode;
  }
}

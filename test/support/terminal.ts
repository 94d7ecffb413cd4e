import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export interface TerminalOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly columns?: number;
  readonly rows?: number;
}

/** The built program in a terminal of its own, of which it sees every byte. */
export class Terminal implements AsyncDisposable {
  readonly #script: ChildProcess;
  seen = '';

  constructor(args: string, { env, columns = 120, rows = 40 }: TerminalOptions) {
    // Its own process id is told first, so that it can be sent signals.
    const command = `stty cols ${columns} rows ${rows}; echo pid=$$; exec node ${MAIN} ${args}`;
    this.#script = spawn('script', ['-qefc', command, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...env, PATH: process.env['PATH'] ?? '', TERM: 'xterm' },
    });
    this.#script.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.seen += text;
    });
  }

  type(keys: string): void {
    this.#script.stdin?.write(keys);
  }

  get pid(): number {
    return Number(/pid=(\d+)/.exec(this.seen)?.[1]);
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** As one that is closed, or whose connection is lost. */
  async hangUp(): Promise<void> {
    this.#script.kill('SIGKILL');
    await this.exitCode();
  }

  async exitCode(): Promise<number | null> {
    if (this.#script.exitCode === null && this.#script.signalCode === null) await once(this.#script, 'close');
    return this.#script.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.hangUp();
  }
}

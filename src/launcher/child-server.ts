import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { TryItNowError, describeError } from '../domain/errors.ts';
import { withDeadline } from '../lifecycle/deadline.ts';
import { comeFirst } from '../lifecycle/priority.ts';

export interface ChildServerSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Without our own environment, in which keys and passwords may stand; it is not for servers that need none of it. */
  readonly cleanEnv?: boolean;
  readonly cwd?: string;
  /** What it writes once it serves. Unlike an answer on its port, its own word cannot be another server's. */
  readonly saysUp?: string;
  /**
   * Resolves true once the server answers; polled every 20 ms, after `saysUp` was seen. At least one
   * of the two is given.
   */
  readonly isUp?: () => Promise<boolean>;
  readonly startTimeoutMs?: number;
  readonly stopSignal?: NodeJS.Signals;
  /** How many of its last lines are kept. */
  readonly linesKept?: number;
  /** Every visitor waits for it. */
  readonly comesFirst?: boolean;
}

/** Many times what any of them takes: on a machine that is busy with other work it may take long. */
const START_TIMEOUT_MS = 60_000;
const LOG_LINES_KEPT = 60;
const STOP_GRACE_MS = 8_000;
const PATH = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin'].join(delimiter);

/**
 * The program's full path, undefined when it is not installed. Looks into the sbin folders too, which
 * a user's PATH often lacks.
 */
export function findProgram(name: string): string | undefined {
  return PATH.split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
}

function harmlessEnv(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => name === 'LANG' || name === 'TZ' || /^(?:GO|LC_)[A-Z]+$/.test(name)),
  );
}

/**
 * A real server as our child: ready when it answers, failed as soon as it exits, its last lines kept for the error
 * message. `setpriv --pdeathsig` has the kernel end it when we die without a chance to (SIGKILL), so nothing is left.
 */
export class ChildServer implements AsyncDisposable {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #stopSignal: NodeJS.Signals;
  readonly #lines: string[] = [];
  #saidUp: boolean;
  readonly exited: Promise<string>;

  private constructor(spec: ChildServerSpec, program: string) {
    this.name = spec.name;
    this.#stopSignal = spec.stopSignal ?? 'SIGTERM';
    this.#saidUp = spec.saysUp === undefined;
    const guard = findProgram('setpriv');
    const [command, args] =
      guard === undefined ? [program, spec.args] : [guard, ['--pdeathsig', 'KILL', program, ...spec.args]];
    this.#process = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...(spec.cleanEnv === true ? harmlessEnv() : process.env), PATH, ...spec.env },
      // Its own group: a Ctrl-C in the terminal reaches us alone, and we stop the parts in their order.
      detached: true,
      ...(spec.cwd === undefined ? {} : { cwd: spec.cwd }),
    });
    if (spec.comesFirst === true && this.#process.pid !== undefined) void comeFirst(this.#process.pid);
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      // What is read at once may end in the middle of a line.
      let begun = '';
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        const lines = (begun + chunk).split('\n');
        this.#saidUp ||= lines.some((line) => line.includes(spec.saysUp ?? ''));
        begun = lines.pop() ?? '';
        this.#keep(lines, spec.linesKept);
      });
      stream?.once('end', () => this.#keep([begun], spec.linesKept));
    }
    this.exited = new Promise((resolve) => {
      this.#process.once('error', (error) => resolve(describeError(error)));
      this.#process.once('exit', (code, signal) =>
        resolve(signal === null ? `exit code ${code ?? 'unknown'}` : `signal ${signal}`),
      );
    });
  }

  #keep(lines: readonly string[], most = LOG_LINES_KEPT): void {
    this.#lines.push(...lines.filter((line) => line.trim() !== ''));
    this.#lines.splice(0, Math.max(0, this.#lines.length - most));
  }

  /** Throws child_failed with the server's own last lines when it exits or does not answer in time. */
  static async start(spec: ChildServerSpec): Promise<ChildServer> {
    const program = spec.command.includes('/') ? spec.command : findProgram(spec.command);
    if (program === undefined) {
      throw new TryItNowError(
        'child_failed',
        `${spec.name} cannot be started: the program ${spec.command} is not installed; \`make setup\` installs it`,
      );
    }
    const child = new ChildServer(spec, program);
    const timeoutMs = spec.startTimeoutMs ?? START_TIMEOUT_MS;
    const giveUp = AbortSignal.timeout(timeoutMs);
    const ended: { how?: string } = {};
    const exited = child.exited.then((how) => {
      ended.how = how;
    });
    while (ended.how === undefined && !giveUp.aborted) {
      if (child.#saidUp && (await (spec.isUp?.() ?? Promise.resolve(true)).catch(() => false)) && child.alive)
        return child;
      await withDeadline(20, exited, () => undefined);
    }
    const why = ended.how ?? `no answer within ${timeoutMs} ms`;
    await child.stop();
    throw new TryItNowError('child_failed', `${spec.name} did not start (${why}). Its last lines:\n${child.tail()}`);
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get alive(): boolean {
    return this.#process.pid !== undefined && this.#process.exitCode === null && this.#process.signalCode === null;
  }

  /** The last lines it wrote, for an error message. */
  tail(lines = 20): string {
    return this.#lines.slice(-lines).join('\n');
  }

  /** For drills: SIGSTOP, SIGCONT, SIGKILL. */
  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async stop(): Promise<void> {
    if (!this.alive) return;
    this.#process.kill(this.#stopSignal);
    await withDeadline(STOP_GRACE_MS, this.exited, () => this.#process.kill('SIGKILL'));
    await this.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

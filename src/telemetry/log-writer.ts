import { openSync, writeSync } from 'node:fs';
import type { DestinationStream } from 'pino';
import { systemClock, type Clock } from '../domain/clock.ts';
import { describeError } from '../domain/errors.ts';

/** What the log lost, for metrics. */
export interface LogLosses {
  /** Lines that could not be written, since the start. */
  readonly dropped: number;
  /** Whether the newest line is one of them. */
  readonly failing: boolean;
}

/** A pipe whose reader is slow is waited for this long, once until it takes something again. */
const FULL_PIPE_MS = 200;
const FULL_PIPE_STEP_MS = 10;
const STDOUT = 1;

/**
 * Where log lines go. Each is written before `write` returns, so a process that is killed has said everything. A line
 * that cannot be written (a full disk, a reader that is gone) is dropped and counted; nothing is thrown, and the first
 * line that can be written again is preceded by one that says how many are missing.
 */
export class LogWriter implements DestinationStream, LogLosses {
  readonly #fd: number;
  readonly #clock: Clock;
  #dropped = 0;
  #outage: { readonly sinceMs: number; readonly reason: string; lines: number } | undefined;
  /** The last thing in the file is the beginning of a line. */
  #torn = false;

  constructor(fd = STDOUT, clock = systemClock) {
    this.#fd = fd;
    this.#clock = clock;
  }

  /** A file only its owner may read, made if need be. Throws what the system answers. */
  static open(path: string): LogWriter {
    return new LogWriter(openSync(path, 'a', 0o600));
  }

  get dropped(): number {
    return this.#dropped;
  }

  get failing(): boolean {
    return this.#outage !== undefined;
  }

  write(line: string): void {
    try {
      this.#writeAll(Buffer.from(`${this.#torn ? '\n' : ''}${this.#returnNote()}${line}`));
      this.#outage = undefined;
    } catch (error) {
      this.#dropped += 1;
      this.#outage ??= { sinceMs: this.#clock.now(), reason: describeError(error), lines: 0 };
      this.#outage.lines += 1;
    }
  }

  #returnNote(): string {
    if (this.#outage === undefined) return '';
    const { sinceMs, reason, lines } = this.#outage;
    const note = {
      level: 'error',
      time: new Date(this.#clock.now()).toISOString(),
      service: 'try-it-now',
      dropped: lines,
      since: new Date(sinceMs).toISOString(),
      reason,
      msg: 'The log can be written again; lines were lost while it could not be',
    };
    return `${JSON.stringify(note)}\n`;
  }

  #writeAll(bytes: Buffer): void {
    let waitedMs = this.failing ? FULL_PIPE_MS : 0;
    for (let written = 0; written < bytes.length;) {
      try {
        written += writeSync(this.#fd, bytes, written);
        this.#torn = written < bytes.length;
      } catch (error) {
        if (!isFullPipe(error) || waitedMs >= FULL_PIPE_MS) throw error;
        waitedMs += FULL_PIPE_STEP_MS;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, FULL_PIPE_STEP_MS);
      }
    }
  }
}

function isFullPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN';
}

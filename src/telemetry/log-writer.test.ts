import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createLogger } from './logger.ts';
import { LogWriter } from './log-writer.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tin-log-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A pipe that takes what fits and answers "try again" to the rest, as a log's reader does that stands still. */
class FullPipe implements Disposable {
  readonly fd: number;

  constructor() {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    this.fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  }

  /** All that lies in it. */
  read(): string {
    const buffer = Buffer.alloc(1 << 20);
    return buffer.toString('utf8', 0, readSync(this.fd, buffer));
  }

  [Symbol.dispose](): void {
    closeSync(this.fd);
  }
}

it('writes each line before it returns', () => {
  const path = join(folder, 'log');
  const writer = LogWriter.open(path);
  createLogger('info', writer).info({ id: 1 }, 'hello');
  expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ level: 'info', id: 1, msg: 'hello' });
  expect(writer).toMatchObject({ dropped: 0, failing: false });
});

it('drops and counts what a full disk does not take, and throws nothing', () => {
  const full = openSync('/dev/full', 'w');
  const writer = new LogWriter(full);
  const log = createLogger('info', writer);
  log.info({}, 'one');
  log.error({ err: new Error('two') }, 'two');
  closeSync(full);
  expect(writer).toMatchObject({ dropped: 2, failing: true });
});

it('says once how many lines are missing when it can be written again, after a line that was cut off', () => {
  using pipe = new FullPipe();
  const writer = new LogWriter(pipe.fd, { now: () => Date.parse('2026-01-02T03:04:05Z') });
  writer.write(`first\n`);
  writer.write(`${'x'.repeat(200_000)}\n`);
  writer.write(`lost as well\n`);
  expect(writer).toMatchObject({ dropped: 2, failing: true });
  const before = pipe.read();
  writer.write('second\n');
  writer.write('third\n');
  const after = pipe.read().split('\n');
  expect(before).toMatch(/^first\nx+$/);
  expect(after).toEqual(['', expect.stringContaining('lines were lost'), 'second', 'third', '']);
  expect(JSON.parse(after[1] ?? '')).toMatchObject({
    level: 'error',
    service: 'try-it-now',
    dropped: 2,
    since: '2026-01-02T03:04:05.000Z',
    reason: expect.stringContaining('EAGAIN') as string,
  });
  expect(writer).toMatchObject({ dropped: 2, failing: false });
});

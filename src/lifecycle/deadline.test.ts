import { once } from 'node:events';
import { connect } from 'node:net';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { deadlineSignal, withDeadline } from './deadline.ts';

const never = new Promise<never>(() => undefined);

describe('A deadline', () => {
  // Its second look is at the real sockets.
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  afterEach(() => void vi.useRealTimers());

  it('lets work that is in time succeed or fail, and leaves no timer behind', async () => {
    await expect(withDeadline(1_000, Promise.resolve('done'), () => 'late')).resolves.toBe('done');
    await expect(withDeadline(1_000, Promise.reject(new Error('broken')), () => 'late')).rejects.toThrow('broken');
    expect(vi.getTimerCount()).toBe(0);
  });

  it('answers for work that is late', async () => {
    const answer = withDeadline(1_000, never, () => 'late');
    await vi.advanceTimersByTimeAsync(1_000);
    await expect(answer).resolves.toBe('late');
  });

  it('fails for work that is late, where its caller says so', async () => {
    const failure = expect(
      withDeadline(1_000, never, () => {
        throw new Error('too slow');
      }),
    ).rejects.toThrow('too slow');
    await vi.advanceTimersByTimeAsync(1_000);
    await failure;
  });

  it('swallows a failure that comes after it', async () => {
    let fail: (reason: Error) => void = () => undefined;
    const work = new Promise<string>((_, reject) => (fail = reject));
    const answer = withDeadline(1_000, work, () => 'late');
    await vi.advanceTimersByTimeAsync(1_000);
    fail(new Error('broken'));
    await expect(answer).resolves.toBe('late');
  });
});

describe('A process that stood still past a deadline', () => {
  it('takes the answer that lies there', async () => {
    const answered = new Int32Array(new SharedArrayBuffer(4));
    // On a thread of its own, so that it answers meanwhile.
    const other = new Worker(
      `const { createServer } = require('node:net');
       const { parentPort, workerData: answered } = require('node:worker_threads');
       const told = () => { Atomics.store(answered, 0, 1); Atomics.notify(answered, 0); };
       const server = createServer((socket) => socket.once('data', () => socket.end('answer', told)));
       server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));`,
      { eval: true, workerData: answered },
    );
    const [port] = (await once(other, 'message')) as [number];
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write('question');
    const answer = once(socket, 'data').then(([data]: unknown[]) => String(data));
    const signal = deadlineSignal(50);
    const outcome = Promise.race([
      withDeadline(50, answer, () => 'late'),
      new Promise((resolve) => signal.addEventListener('abort', () => resolve('aborted'))),
    ]);
    expect(Atomics.wait(answered, 0, 0, 60_000)).not.toBe('timed-out');
    // Nobody tells: until the limit is over.
    Atomics.wait(answered, 0, 1, 100);
    await expect(outcome).resolves.toBe('answer');
    socket.destroy();
    await other.terminate();
  });

  it('has a signal that aborts with the error of a limit when none came', async () => {
    const signal = deadlineSignal(1);
    await once(signal, 'abort');
    expect(signal.reason).toMatchObject({ name: 'TimeoutError' });
  });
});

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { withDeadline } from './deadline.ts';

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

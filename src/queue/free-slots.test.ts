import { describe, expect, it } from 'vitest';
import { FreeSlots } from './free-slots.ts';

/** Slots that ask one time after another, and the requests of theirs that wait for an answer. */
function slotsOf(count: number) {
  const stopping = new AbortController();
  const freeSlots = new FreeSlots(stopping.signal);
  const requests: Request[] = [];
  const given: string[] = [];
  const slot = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const task = await freeSlots.ask(() => {
        const request = newRequest();
        if (stopping.signal.aborted) request.answer(undefined);
        else requests.push(request);
        return request.answered;
      });
      if (task !== undefined) given.push(task);
    }
  };
  const ended = Array.from({ length: count }, () => slot());
  const answer = async (task: string | undefined): Promise<void> => {
    requests.shift()?.answer(task);
    await settled();
  };
  const stop = async (): Promise<void> => {
    stopping.abort();
    for (const { answer: end } of requests) end(undefined);
    await Promise.all(ended);
  };
  return { requests, given, answer, stop };
}

interface Request {
  readonly answered: Promise<string | undefined>;
  readonly answer: (task: string | undefined) => void;
  readonly fail: (error: Error) => void;
}

function newRequest(): Request {
  let [answer, fail] = [(_task: string | undefined): void => undefined, (_error: Error): void => undefined];
  const answered = new Promise<string | undefined>((resolve, reject) => {
    [answer, fail] = [resolve, reject];
  });
  return { answered, answer, fail };
}

/** All that only waits for promises has run. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('free slots', () => {
  it('have one of them ask while nothing comes, all while tasks come, and one again once nothing does', async () => {
    const slots = slotsOf(3);
    await settled();
    expect(slots.requests).toHaveLength(1);
    await slots.answer(undefined);
    expect(slots.requests).toHaveLength(1);
    await slots.answer('first');
    expect(slots.requests).toHaveLength(3);
    await slots.answer('second');
    expect(slots.requests).toHaveLength(3);
    for (const left of [2, 1, 1]) {
      await slots.answer(undefined);
      expect(slots.requests).toHaveLength(left);
    }
    expect(slots.given).toEqual(['first', 'second']);
    await slots.stop();
  });

  it('have another one ask at once where a request fails', async () => {
    const freeSlots = new FreeSlots(new AbortController().signal);
    const failing = newRequest();
    const first = freeSlots.ask(() => failing.answered);
    const second = freeSlots.ask(() => Promise.resolve('task'));
    failing.fail(new Error('no answer'));
    await expect(first).rejects.toThrow('no answer');
    expect(await second).toBe('task');
  });
});

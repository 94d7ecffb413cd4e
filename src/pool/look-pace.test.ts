import { beforeEach, expect, it } from 'vitest';
import { LookPace } from './look-pace.ts';

const { signal } = new AbortController();
let nowMs: number;
let load: number;
let pace: LookPace;

beforeEach(() => {
  nowMs = 0;
  load = 0;
  pace = new LookPace({
    now: () => nowMs,
    load: () => load,
    wait: (ms) => {
      nowMs += ms;
      return Promise.resolve();
    },
  });
});

/** When each of so many looks, one after another, may begin. */
async function turns(count: number): Promise<number[]> {
  const at: number[] = [];
  for (let turn = 0; turn < count; turn += 1) {
    await pace.turn(signal);
    at.push(nowMs);
  }
  return at;
}

it('lets the first twenty looks begin at once, and those after them one by one, fifty a second', async () => {
  expect(await turns(24)).toEqual([...Array<number>(21).fill(0), 20, 40, 60]);
});

it('does not make up for the time that a look took', async () => {
  await turns(22);
  nowMs += 500;
  expect(await turns(2)).toEqual([520, 540]);
});

it('looks at one instead of five while the process is busy, and no less', async () => {
  await turns(21);
  load = 0.51;
  expect(await turns(2)).toEqual([100, 200]);
  load = 0.5;
  expect(await turns(2)).toEqual([220, 240]);
});

it('waits no longer once it is told to stop', async () => {
  const stop = new AbortController();
  const waits: number[] = [];
  const stopped = new LookPace({
    load: () => 1,
    wait: (ms) => {
      waits.push(ms);
      stop.abort();
      return Promise.resolve();
    },
  });
  for (let turn = 0; turn < 21; turn += 1) await stopped.turn(stop.signal);
  expect(waits).toHaveLength(1);
});

import { describe, expect, it } from 'vitest';
import { takeMark, withMark } from './host-marks.ts';

describe('a mark', () => {
  it('has one holder at a time', async () => {
    const name = `test-${process.pid}-one`;
    const first = await takeMark(name);
    expect(first).toBeDefined();
    expect(await takeMark(name)).toBeUndefined();
    await first?.[Symbol.asyncDispose]();
    await using second = await takeMark(name);
    expect(second).toBeDefined();
  });

  it('is waited for, and given up when the work is done or fails', async () => {
    const name = `test-${process.pid}-turns`;
    let [working, most] = [0, 0];
    const work = async (turn: number): Promise<number> => {
      most = Math.max(most, (working += 1));
      await new Promise(setImmediate);
      working -= 1;
      if (turn === 0) throw new Error('no luck');
      return turn;
    };
    const outcomes = await Promise.allSettled([0, 1, 2].map((turn) => withMark(name, () => work(turn))));
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
    expect(most).toBe(1);
  });
});

import { getEventListeners, once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { eitherOf } from './either-of.ts';

const followers = (...sources: readonly AbortSignal[]): number[] =>
  sources.map((source) => getEventListeners(source, 'abort').length);

describe('A signal of either', () => {
  it('is aborted with the first of them, for its reason, and leaves both', () => {
    const [one, other] = [new AbortController(), new AbortController()];
    using either = eitherOf(one.signal, undefined, other.signal);
    expect(either.signal.aborted).toBe(false);
    other.abort(new Error('enough'));
    one.abort(new Error('too late'));
    expect(either.signal.reason).toEqual(new Error('enough'));
    expect(followers(one.signal, other.signal)).toEqual([0, 0]);
  });

  it('is aborted at once where one of them is already, for the reason of the first', () => {
    const living = new AbortController().signal;
    const [one, other] = [AbortSignal.abort(new Error('long ago')), AbortSignal.abort(new Error('as well'))];
    using either = eitherOf(living, one, other);
    expect(either.signal.reason).toEqual(new Error('long ago'));
    expect(followers(living)).toEqual([0]);
  });

  it('has the reason that an abort without one has', () => {
    const source = new AbortController();
    using either = eitherOf(source.signal);
    source.abort();
    expect(either.signal.reason).toBe(source.signal.reason);
  });

  it('is aborted by a timeout that only it refers to', async () => {
    using either = eitherOf(new AbortController().signal, AbortSignal.timeout(1));
    await once(either.signal, 'abort');
    expect(either.signal.reason).toMatchObject({ name: 'TimeoutError' });
  });

  it('follows nobody any more once it is disposed of, also as its work throws', () => {
    const source = new AbortController();
    let left: AbortSignal | undefined;
    const work = (): void => {
      using either = eitherOf(source.signal);
      left = either.signal;
      expect(followers(source.signal)).toEqual([1]);
      throw new Error('the work failed');
    };
    expect(work).toThrow('the work failed');
    expect(followers(source.signal)).toEqual([0]);
    source.abort();
    expect(left?.aborted).toBe(false);
  });

  it('is one of many at a time without a warning of a leak', async () => {
    const source = new AbortController();
    const warnings: Error[] = [];
    const warned = (warning: Error): void => void warnings.push(warning);
    process.on('warning', warned);
    const many = Array.from({ length: 100 }, () => eitherOf(source.signal));
    // Node tells of it in a later turn.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', warned);
    for (const each of many) each[Symbol.dispose]();
    expect([warnings, followers(source.signal)]).toEqual([[], [0]]);
  });
});

import { expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { StartTurns } from './start-turns.ts';

const never = new AbortController().signal;
const nobody = (): void => undefined;
const forever = 3_600_000;

/** What has happened by the time everything that could go on has gone on. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('gives the slots to templates in turn, and never all of them to one', async () => {
  const turns = new StartTurns({ slots: 3, templates: () => 2, bootMs: forever });
  const begun: string[] = [];
  const yielded: string[] = [];
  const start = async (name: string) => {
    const turn = await turns.next(name, () => yielded.push(name), never);
    void turn.work(never).then(() => begun.push(name));
    await settled();
    return turn;
  };
  const first = await start('a');
  await start('a');
  await start('a');
  expect([begun, yielded]).toEqual([['a', 'a'], ['a']]);
  await start('b');
  expect(begun).toEqual(['a', 'a', 'b']);
  await start('b');
  first.end('came up');
  await settled();
  // One each: whoever came first.
  expect(begun).toEqual(['a', 'a', 'b', 'a']);
});

it('has a template with as many attempts under way as there are slots, the rest without a worker', async () => {
  const turns = new StartTurns({ slots: 2, templates: () => 1, bootMs: forever });
  const [one] = [await turns.next('a', nobody, never), await turns.next('a', nobody, never)];
  let parked = 0;
  const third = turns.next('a', () => (parked += 1), never);
  const other = await turns.next('b', nobody, never);
  expect(parked).toBe(1);
  other.end('came up');
  one.end('failed');
  await third;
});

it('takes no slot for an app that boots long, and none at all where the last one failed', async () => {
  const turns = new StartTurns({ slots: 1, templates: () => 1, bootMs: 0 });
  const [slow, next] = [await turns.next('slow', nobody, never), await turns.next('next', nobody, never)];
  let yielded = 0;
  await slow.work(never);
  slow.boot();
  await next.work(never);
  next.end('failed');
  const late = new StartTurns({ slots: 1, templates: () => 2, bootMs: forever });
  const broken = await late.next('broken', nobody, never);
  await broken.work(never);
  broken.end('failed');
  const again = await late.next('broken', () => (yielded += 1), never);
  await again.work(never);
  again.boot();
  const well = await late.next('well', nobody, never);
  await well.work(never);
  expect(yielded).toBe(1);
});

it('forgets whoever gives up waiting', async () => {
  const turns = new StartTurns({ slots: 1, templates: () => 1, bootMs: forever });
  const one = await turns.next('a', nobody, never);
  const stop = new AbortController();
  const waiting = turns.next('a', nobody, stop.signal);
  stop.abort(new Error('stopped'));
  await expect(waiting).rejects.toThrow('stopped');
  one.end('came up');
  await turns.next('a', nobody, never);
});

it('gives worker and slot back while it waits long for something else, and asks for a slot again', async () => {
  const turns = new StartTurns({ slots: 4, templates: () => 3, bootMs: 0 });
  const yields: string[] = [];
  const next = (name: string) => turns.next(name, () => yields.push(name), never);
  const [one, two, three, other] = [await next('a'), await next('a'), await next('a'), await next('b')];
  const waiting = [one, two, three, other];
  for (const turn of waiting) await turn.work(never);
  const short = await next('c');
  short.wait()();
  let worked = 0;
  const count = () => (worked += 1);
  void short.work(never).then(count);
  await settled();
  expect(worked).toBe(0);
  for (const turn of waiting) turn.wait();
  await eventually(() => expect([worked, yields]).toEqual([1, ['a', 'a', 'a', 'b']]));
  for (const turn of waiting) void turn.work(never).then(count);
  await settled();
  // What they waited for is there, and the slot of one is with another.
  expect(worked).toBe(4);
  short.end('came up');
  await settled();
  expect(worked).toBe(5);
});

it('keeps its slot while what it waits for is there soon', async () => {
  const turns = new StartTurns({ slots: 1, templates: () => 1, bootMs: forever });
  const [one, other] = [await turns.next('a', nobody, never), await turns.next('b', nobody, never)];
  await one.work(never);
  one.wait()();
  let worked = false;
  void other.work(never).then(() => (worked = true));
  await settled();
  expect(worked).toBe(false);
});

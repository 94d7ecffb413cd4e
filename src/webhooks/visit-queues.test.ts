import { expect, it } from 'vitest';
import { VisitQueues, type Waiting } from './visit-queues.ts';

const item = (visit: string, position: number): Waiting => ({ visit, position });
const [a1, a2, a3, b4] = [item('a', 1), item('a', 2), item('a', 3), item('b', 4)];

function queuesOf(...items: readonly Waiting[]): VisitQueues<Waiting> {
  const queues = new VisitQueues<Waiting>();
  for (const each of items) queues.add(each);
  return queues;
}

it('One event of a visit is under way at a time, the oldest', () => {
  const queues = queuesOf(a2, b4, a1);
  expect([queues.next(), queues.next(), queues.next()]).toEqual([a1, b4, undefined]);
  queues.done(a1);
  expect([queues.next(), queues.next()]).toEqual([a2, undefined]);
  queues.done(a2);
  queues.done(b4);
  expect(queues.next()).toBeUndefined();
});

it('One that failed stays the first of its visit, behind visits that were not tried', () => {
  const queues = queuesOf(a1, a2);
  expect(queues.next()).toBe(a1);
  queues.retry(a1);
  queues.add(b4);
  expect([queues.next(), queues.next(), queues.next()]).toEqual([b4, a1, undefined]);
});

it('An older event that comes late waits behind the one under way, and before the younger ones', () => {
  const queues = queuesOf(a2);
  expect(queues.next()).toBe(a2);
  queues.add(a3);
  queues.add(a1);
  queues.done(a2);
  expect(queues.next()).toBe(a1);
  queues.done(a1);
  expect(queues.next()).toBe(a3);
});

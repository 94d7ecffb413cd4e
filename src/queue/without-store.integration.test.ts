import { expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { RecordingHandlers, TestNats, cleanupTask, provisionTask } from '../../test/support/queue.ts';
import { TryItNowError } from '../domain/errors.ts';

it('Workers fetch nothing while the store does not answer, and no task loses an attempt', async () => {
  await using nats = await TestNats.start();
  const handlers = new RecordingHandlers();
  let [answers, asked] = [false, 0];
  await nats.workers(handlers, {
    ready: () => {
      asked += 1;
      return answers ? Promise.resolve() : Promise.reject(new TryItNowError('store_unavailable', 'away'));
    },
  });
  const { queue } = await nats.publisher();
  await queue.publishProvision([provisionTask()]);
  await queue.publishCleanup(cleanupTask());
  const before = asked;
  await eventually(() => expect(asked).toBeGreaterThan(before + 10));
  expect(handlers.calls).toEqual([]);
  answers = true;
  await eventually(() => expect(handlers.calls.map(({ context }) => context.attempt)).toEqual([1, 1]));
});

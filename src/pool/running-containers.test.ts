import { expect, it } from 'vitest';
import type { ContainerSummary } from './interfaces/container-runtime.ts';
import { RunningContainers } from './running-containers.ts';

/** An engine that answers when it is told to. */
class SlowEngine {
  readonly asked: { readonly answer: (...names: string[]) => void; readonly fail: () => void }[] = [];
  list(): Promise<ContainerSummary[]> {
    return new Promise((resolve, reject) => {
      this.asked.push({
        answer: (...names) => resolve(names.map((name) => ({ name, instanceId: undefined, running: true }))),
        fail: () => reject(new Error('the engine is away')),
      });
    });
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

it('asks the engine once for all who ask meanwhile, and not again within a second', async () => {
  const engine = new SlowEngine();
  let nowMs = 0;
  const running = new RunningContainers(engine, () => nowMs);
  const many = Array.from({ length: 50 }, () => running.includes('a'));
  await settled();
  engine.asked[0]?.answer('a', 'b');
  expect(new Set(await Promise.all(many))).toEqual(new Set([true]));
  nowMs += 999;
  expect(await running.includes('b')).toBe(true);
  expect(engine.asked).toHaveLength(1);
  nowMs += 1;
  const later = running.includes('b');
  await settled();
  expect(engine.asked).toHaveLength(2);
  engine.asked[1]?.answer('b');
  expect(await later).toBe(true);
});

it('says that one does not run only after a look that began later, one at a time', async () => {
  const engine = new SlowEngine();
  const running = new RunningContainers(engine, () => 0);
  const early = running.includes('a');
  await settled();
  const late = Array.from({ length: 50 }, (_, at) => running.includes(at % 2 === 0 ? 'b' : 'c'));
  engine.asked[0]?.answer('a');
  expect(await early).toBe(true);
  await settled();
  expect(engine.asked).toHaveLength(2);
  engine.asked[1]?.answer('b');
  expect(await Promise.all(late)).toEqual(late.map((_, at) => at % 2 === 0));
  expect(engine.asked).toHaveLength(2);
});

it('goes on after the engine was away', async () => {
  const engine = new SlowEngine();
  let nowMs = 0;
  const running = new RunningContainers(engine, () => nowMs);
  const [first, second] = [running.includes('a'), running.includes('a')];
  await settled();
  engine.asked[0]?.fail();
  await expect(first).rejects.toThrow('away');
  await expect(second).rejects.toThrow('away');
  await expect(running.includes('a')).rejects.toThrow('away');
  expect(engine.asked).toHaveLength(1);
  nowMs += 1_000;
  const again = running.includes('a');
  await settled();
  engine.asked[1]?.answer('a');
  expect(await again).toBe(true);
});

import { describe, expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { pino } from 'pino';
import { Loop } from './loop.ts';

function capture() {
  const lines: string[] = [];
  const log = pino(
    { level: 'info' },
    {
      write: (line: string) => {
        lines.push((JSON.parse(line) as { msg: string }).msg);
      },
    },
  );
  return { log, lines };
}

describe('Loop', () => {
  it('never overlaps its rounds, and makes one round of many nudges', async () => {
    const { log } = capture();
    let running = 0;
    let most = 0;
    let rounds = 0;
    const finish: (() => void)[] = [];
    const loop = new Loop({ name: 'test', intervalMs: 60_000, log }, async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => finish.push(resolve));
      running -= 1;
      rounds += 1;
    });
    loop.start();
    await eventually(() => expect(finish).toHaveLength(1));
    for (let trigger = 0; trigger < 10; trigger += 1) loop.trigger();
    finish.pop()?.();
    await eventually(() => expect(finish).toHaveLength(1));
    finish.pop()?.();
    await eventually(() => expect(rounds).toBe(2));
    await loop.stop();
    expect(most).toBe(1);
    expect(rounds).toBe(2);
  });

  it('says once that it fails and once that it recovered', async () => {
    const { log, lines } = capture();
    let rounds = 0;
    const loop = new Loop({ name: 'test', intervalMs: 1, log, random: () => 0 }, () => {
      rounds += 1;
      return rounds <= 2 ? Promise.reject(new Error('down')) : Promise.resolve();
    });
    loop.start();
    await eventually(() => expect(rounds).toBeGreaterThan(4));
    await loop.stop();
    expect(lines).toEqual(['Loop failed; trying again with backoff', 'Loop recovered']);
  });

  it('is not nudged out of a backoff, but tries again when told that what it failed for is back', async () => {
    const { log } = capture();
    let rounds = 0;
    const loop = new Loop({ name: 'test', intervalMs: 60_000, log }, () => {
      rounds += 1;
      return rounds === 1 ? Promise.reject(new Error('down')) : Promise.resolve();
    });
    loop.start();
    await eventually(() => expect(rounds).toBe(1));
    loop.trigger();
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    expect(rounds).toBe(1);
    loop.retryNow();
    await eventually(() => expect(rounds).toBe(2));
    await loop.stop();
  });

  it('tells the round under way to stop, and waits for it', async () => {
    const { log } = capture();
    let ended = false;
    const loop = new Loop({ name: 'test', intervalMs: 1, log }, async (signal) => {
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      ended = true;
    });
    loop.start();
    await loop.stop();
    expect(ended).toBe(true);
  });

  it('leaves a round behind that does not heed its signal when it is stopped, and says so', async () => {
    const { log, lines } = capture();
    let finish = (): void => undefined;
    let rounds = 0;
    const loop = new Loop({ name: 'test', intervalMs: 1, unwindMs: 50, log }, () => {
      rounds += 1;
      return new Promise<void>((resolve) => {
        finish = resolve;
      });
    });
    loop.start();
    await eventually(() => expect(rounds).toBe(1));
    await loop.stop();
    expect(lines).toEqual(['Loop does not stop; its last round is left behind']);
    finish();
    await loop.stop();
    expect(rounds).toBe(1);
    expect(lines).toHaveLength(1);
  });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { getPriority } from 'node:os';
import { expect, it } from 'vitest';
import { prioritize } from './priority.ts';

it('says which process comes first, and throws for one that has ended', async () => {
  const child = spawn('sleep', ['60'], { detached: true });
  const { pid } = child;
  if (pid === undefined) throw new Error('sleep is not installed');
  const ended = once(child, 'exit');
  try {
    // Anybody may give way.
    await prioritize(pid, 7);
    expect(getPriority(pid)).toBe(7);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
  await expect(prioritize(pid, 7)).rejects.toThrow('ESRCH');
});

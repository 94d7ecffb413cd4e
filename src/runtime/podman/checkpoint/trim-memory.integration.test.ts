import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { afterEach, expect, it } from 'vitest';
import { eventually } from '../../../../test/support/eventually.ts';
import { trimMemory } from './trim-memory.ts';

/** Holds much, lets go of it when it is asked for the first time, and then only waits for questions. */
const WASTEFUL = `
  let held = Array.from({ length: 1_500_000 }, (_, index) => ({ index, text: 'number ' + index }));
  const kept = held[1000].text;
  process.stdin.on('data', () => {
    held = undefined;
    console.log(kept);
  });
  console.log('ready');
`;

let app: ChildProcess | undefined;
afterEach(async () => {
  if (app?.exitCode !== null) return;
  const ended = once(app, 'exit');
  app.kill('SIGKILL');
  await ended;
});

it('has Node give back what it no longer uses, and go on as before', async () => {
  // All processes of a namespace are trimmed, so it has one of its own.
  app = spawn('unshare', ['--pid', '--fork', '--kill-child', process.execPath, '-e', WASTEFUL], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const said = (): Promise<string> =>
    once(app?.stdout ?? process.stdin, 'data').then(([chunk]) => String(chunk).trim());
  expect(await said()).toBe('ready');
  const pid = Number(await readFile(`/proc/${app.pid}/task/${app.pid}/children`, 'utf8'));
  const before = await privateKib(pid);
  app.stdin?.write('let go');
  expect(await said()).toBe('number 1000');
  // One that is just at work is left as it is.
  await eventually(async () => {
    await trimMemory(pid);
    expect(await privateKib(pid)).toBeLessThan(before / 2);
  });
  app.stdin?.write('what did you keep?');
  expect(await said()).toBe('number 1000');
});

async function privateKib(pid: number): Promise<number> {
  return Number(/^RssAnon:\s*(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

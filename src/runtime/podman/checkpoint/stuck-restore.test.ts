import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { killHungRestores, killRestore } from './stuck-restore.ts';
import { eventually } from '../../../../test/support/eventually.ts';

const started: ChildProcess[] = [];

afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

/** Says its child's process id, and both stay. */
const PARENT =
  'const child = require("child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1e6)"]); ' +
  'console.log(child.pid);';

async function process(argv0: string, ...args: string[]): Promise<{ parent: ChildProcess; childPid: number }> {
  const parent = spawn(globalThis.process.execPath, ['-e', PARENT, '--', ...args], {
    argv0,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  started.push(parent);
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  return { parent, childPid: Number(line.toString()) };
}

/** One that ended and waits for somebody to take note of it does not. */
function lives(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

it('kills the restore of this container with all that descends from it, and nothing else', async () => {
  const stuck = await process('/usr/bin/conmon', '-n', 'demo-stuck', '--restore', '/folder');
  const others = [
    await process('/usr/bin/conmon', '-n', 'demo-other', '--restore', '/folder'),
    await process('/usr/bin/conmon', '-n', 'demo-stuck', '--exit-dir', '/folder'),
    await process('/usr/bin/editor', '-n', 'demo-stuck', '--restore', '/folder'),
  ];
  try {
    const ended = once(stuck.parent, 'exit');
    expect(await killRestore('demo-stuck')).toBe(2);
    await ended;
    await eventually(() => expect(lives(stuck.childPid)).toBe(false));
    for (const { parent, childPid } of others)
      expect([parent.exitCode, parent.signalCode, lives(childPid)]).toEqual([null, null, true]);
    expect(await killRestore('demo-absent')).toBe(0);
  } finally {
    for (const { childPid } of [stuck, ...others]) if (lives(childPid)) globalThis.process.kill(childPid, 'SIGKILL');
  }
});

it('kills every restore of ours that has not ended after its time, whoever began it', async () => {
  const stuck = await process('/usr/bin/conmon', '-n', 'of-this-test', '--restore', '/folder');
  const others = [
    await process('/usr/bin/conmon', '-n', 'somebodys', '--restore', '/folder'),
    await process('/usr/bin/conmon', '-n', 'of-this-test', '--exit-dir', '/folder'),
  ];
  // On this host others may restore theirs at the same time.
  const isOurs = (name: string): boolean => name === 'of-this-test';
  try {
    expect(await killHungRestores(600_000, isOurs)).toEqual([]);
    await eventually(async () => expect(await killHungRestores(0, isOurs)).toEqual(['of-this-test']));
    await eventually(() => expect(lives(stuck.childPid)).toBe(false));
    for (const { childPid } of others) expect(lives(childPid)).toBe(true);
  } finally {
    for (const { childPid } of [stuck, ...others]) if (lives(childPid)) globalThis.process.kill(childPid, 'SIGKILL');
  }
});

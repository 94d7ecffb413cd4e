import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { suspend } from '../../../test/support/suspend.ts';
import { severedPorts } from './severed-ports.ts';

it('tells a port that nobody accepts at from one that is served and one that is closed', async () => {
  const serving = createServer().listen(0, '127.0.0.1');
  const closed = createServer().listen(0, '127.0.0.1');
  await Promise.all([once(serving, 'listening'), once(closed, 'listening')]);
  const portOf = (server: typeof serving): number => (server.address() as AddressInfo).port;
  const [served, refused] = [portOf(serving), portOf(closed)];
  closed.close();
  onTestFinished(() => void serving.close());
  const listener = spawn(process.execPath, [
    '-e',
    "const s = require('node:net').createServer().listen(0, '127.0.0.1', () => console.log(s.address().port))",
  ]);
  onTestFinished(() => void listener.kill('SIGKILL'));
  const [printed] = (await once(listener.stdout, 'data')) as [Buffer];
  await suspend(listener);
  const held = Number(printed);

  expect(await severedPorts('127.0.0.1', [served, held, refused])).toEqual([held]);
  expect(await severedPorts('127.0.0.1', [])).toEqual([]);
});

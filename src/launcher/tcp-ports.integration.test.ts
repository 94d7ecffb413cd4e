import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { loadConfig } from '../config/load.ts';
import { freePort, isForAnybody, reservePort } from './tcp-ports.ts';

const MODULE = new URL('./tcp-ports.ts', import.meta.url).href;

it('draws no port that somebody listens on, and none twice', async () => {
  const port = await freePort();
  const listening = createServer().listen(port, '127.0.0.1');
  await once(listening, 'listening');
  try {
    const drawn = await Promise.all(Array.from({ length: 100 }, () => freePort()));
    expect(new Set([port, ...drawn]).size).toBe(101);
  } finally {
    listening.close();
  }
});

it('leaves alone what the program listens on unless it is told otherwise', () => {
  const text = JSON.stringify(loadConfig({}).config);
  const defaults = [...text.matchAll(/(?:port":|:)(\d{4})\b/gi)].map(([, port]) => Number(port));
  expect(defaults).toEqual(expect.arrayContaining([8_000, 8_080, 8_081]));
  const drawn = defaults.filter((port) => port >= 7_000 && port < 10_000 && isForAnybody(port));
  expect(drawn).toEqual([]);
});

it('a port is reserved once, until it is given back', async () => {
  const port = await freePort();
  expect(await reservePort(port)).toBeUndefined();
  const elsewhere = await reservePort(port + 20_000);
  expect(elsewhere).toBeDefined();
  expect(await reservePort(port + 20_000)).toBeUndefined();
  await elsewhere?.[Symbol.asyncDispose]();
  await using again = await reservePort(port + 20_000);
  expect(again).toBeDefined();
});

it('a port is reserved for everybody on this host, until the process that has it is dead', async () => {
  const script =
    `const { freePort } = await import('${MODULE}'); console.log(await freePort()); setInterval(() => ` + '{}, 1_000);';
  const other = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [line] = (await once(other.stdout, 'data')) as [Buffer];
    const port = Number(line);
    expect(port).toBeGreaterThan(0);
    expect(await reservePort(port)).toBeUndefined();
    other.kill('SIGKILL');
    await once(other, 'exit');
    await using mine = await reservePort(port);
    expect(mine).toBeDefined();
  } finally {
    other.kill('SIGKILL');
  }
});

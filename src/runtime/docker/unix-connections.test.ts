import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { unixConnections } from './unix-connections.ts';

it('counts the connections to a server that a network has, by the name of its socket', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'tin-unix-'));
  const path = join(dir, `${basename(dir)}.sock`);
  const server = createServer().listen(path);
  try {
    await once(server, 'listening');
    const count = async () => unixConnections(process.pid, basename(path));
    expect(await count()).toBe(0);
    const clients = await Promise.all(
      Array.from({ length: 3 }, async () => {
        const client = connect(path);
        await once(client, 'connect');
        return client;
      }),
    );
    expect(await count()).toBe(3);
    expect(await unixConnections(process.pid, 'another.sock')).toBe(0);
    for (const client of clients) client.destroy();
  } finally {
    server.close();
    await rm(dir, { recursive: true });
  }
});

it('knows nothing of a process that is gone', async () => {
  // Above any pid_max.
  expect(await unixConnections(2 ** 30, 'mysqld.sock')).toBeUndefined();
});

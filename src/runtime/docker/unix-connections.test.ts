import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { unixConnections } from './unix-connections.ts';

/** Some 40,000 sockets, until there is nothing more to read. */
const HOARD = `
  my @others = map {
    pipe my $held, my $tell; pipe my $read, my $end;
    if (!fork) {
      close $end; my @kept;
      while (socketpair(my $one, my $other, AF_UNIX, SOCK_STREAM, 0)) { push @kept, $one, $other }
      close $tell; <$read>; exit;
    }
    close $tell; <$held>; $end;
  } 1 .. 2;
  $| = 1; print "held\\n"; <STDIN>`;

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

it('takes more sockets than anybody can look through each second for too many connections', async () => {
  // In a network of its own, as an instance.
  const hoard = spawn('unshare', ['-n', 'perl', '-MSocket', '-e', HOARD], { stdio: ['pipe', 'pipe', 'inherit'] });
  try {
    const [said] = (await once(hoard.stdout, 'data')) as [Buffer];
    expect(said.toString()).toBe('held\n');
    expect(await unixConnections(Number(hoard.pid), 'mysqld.sock')).toBe(Infinity);
  } finally {
    const closed = once(hoard, 'close');
    hoard.stdin.end();
    await closed;
  }
});

it('knows nothing of a process that is gone', async () => {
  // Above any pid_max.
  expect(await unixConnections(2 ** 30, 'mysqld.sock')).toBeUndefined();
});

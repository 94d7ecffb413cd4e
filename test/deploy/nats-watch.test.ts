import { mkdir, mkdtemp, readFile, readdir, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { ChildServer, findProgram } from '../../src/launcher/child-server.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { eventually } from '../support/eventually.ts';
import { SmallDisk, whyNoSmallDisk } from '../support/small-disk.ts';

const WATCHED = fileURLToPath(new URL('../../deploy/nats/watched.sh', import.meta.url));
const BUSYBOX = findProgram('busybox');
const why =
  process.getuid?.() !== 0 ? 'a PID namespace needs root' : BUSYBOX === undefined ? 'busybox is not installed' : '';
if (why !== '') process.stderr.write(`The test of the watch beside a NATS in a container is skipped: ${why}\n`);

/** Every process of a PID namespace: name and state. */
async function within(namespace: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc'))
    if (/^\d+$/.test(pid) && (await readlink(`/proc/${pid}/ns/pid`).catch(() => '')) === namespace)
      found.push(
        /\((.*)\) (.)/
          .exec(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''))
          ?.slice(1)
          .join(' ') ?? '',
      );
  return found;
}

it.skipIf(why !== '' && process.env['CI'] !== 'true')(
  `leaves a NATS alone that is the first process of a container with nothing but BusyBox${why && ` (${why})`}`,
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'try-it-now-nats-watch-'));
    try {
      const [bin, store] = [join(dir, 'bin'), join(dir, 'store')];
      await Promise.all([mkdir(bin), mkdir(store)]);
      for (const name of ['sh', 'sleep', 'timeout', 'nc', 'df', 'awk']) await symlink(BUSYBOX ?? '', join(bin, name));
      const [port, monitorPort] = [await freePort(), await freePort()];
      const nats = `${findProgram('nats-server') ?? ''} -a 127.0.0.1 -p ${port} -m ${monitorPort} -js -sd ${store}`;
      await using server = await ChildServer.start({
        name: 'NATS',
        command: 'unshare',
        args: [
          ...['--pid', '--fork', '--mount-proc', '--kill-child', join(bin, 'sh'), '-c'],
          `PATH=${bin} NATS_WATCH_EVERY=1 exec sh ${WATCHED} 127.0.0.1:${monitorPort} ${store} ${nats}`,
        ],
        saysUp: 'Server is ready',
        stopSignal: 'SIGKILL',
      });
      const namespace = await readlink(`/proc/${server.pid ?? ''}/ns/pid_for_children`);
      const asked = async (): Promise<number> => {
        const varz = (await (await fetch(`http://127.0.0.1:${monitorPort}/varz`)).json()) as {
          http_req_stats: Record<string, number>;
        };
        return varz.http_req_stats['/jsz'] ?? 0;
      };
      // More often than it takes for a bad one to be ended.
      await eventually(async () => expect(await asked()).toBeGreaterThanOrEqual(8), { timeoutMs: 60_000 });
      expect(server.tail()).not.toContain('watched.sh: ');
      await eventually(async () => {
        const processes = await within(namespace);
        expect(processes).toContain('nats-server S');
        // One that the watch is about to wait for is gone at the next look.
        expect(processes.filter((one) => one.endsWith(' Z'))).toEqual([]);
      });
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  },
);

it.skipIf(whyNoSmallDisk !== '' && process.env['CI'] !== 'true')(
  `waits where the disk has bytes and takes no file${whyNoSmallDisk && ` (${whyNoSmallDisk})`}`,
  async () => {
    const store = await mkdtemp(join(tmpdir(), 'try-it-now-nats-watch-'));
    const disk = await SmallDisk.mount(store, 64, ',nr_inodes=8');
    try {
      await expect(
        (async () => {
          for (let n = 0; n < 100; n += 1) await writeFile(join(store, `${n}`), '');
        })(),
      ).rejects.toThrow('ENOSPC');
      const monitorPort = await freePort();
      // What nats-server 2.15 says in a cluster, whatever it could not write.
      const gaveUp = `require('http').createServer((q, a) => a.writeHead(503).end('{"error":"JetStream not enabled"}'))
        .listen(${monitorPort}, '127.0.0.1', () => console.log('up'))`;
      await using server = await ChildServer.start({
        name: 'NATS',
        command: '/bin/sh',
        args: [WATCHED, `127.0.0.1:${monitorPort}`, store, process.execPath, '-e', gaveUp],
        env: { NATS_WATCH_EVERY: '1' },
        saysUp: 'up',
      });
      await eventually(() => expect(server.tail()).toContain('watched.sh: '), { timeoutMs: 60_000 });
      expect(server.tail()).toContain('has to wait for room on the disk');
      expect(server.alive).toBe(true);
      await rm(join(store, '0'));
      await server.exited;
      expect(server.tail()).toContain('watched.sh: ends nats-server');
    } finally {
      await disk[Symbol.asyncDispose]();
      await rm(store, { recursive: true, force: true });
    }
  },
);

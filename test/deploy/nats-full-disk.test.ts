import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Shared, runChecks } from '../../src/doctor/check.ts';
import { natsChecks } from '../../src/doctor/nats.ts';
import { ChildServer } from '../../src/launcher/child-server.ts';
import { createPublisher } from '../../src/queue/publisher.ts';
import { connectQueue, type QueueConnection } from '../../src/queue/connection.ts';
import { copies } from '../../src/queue/copies.ts';
import { DELIVERY_POLICY, ensureStreamsAndConsumers } from '../../src/queue/stream-and-consumers.ts';
import { launchNats, type LaunchedNats } from '../../src/launcher/nats.ts';
import { supervise } from '../../src/launcher/supervise.ts';
import { freePort } from '../../src/launcher/tcp-ports.ts';
import { Releasers } from '../../src/lifecycle/releasers.ts';
import { eventually } from '../support/eventually.ts';
import { NatsCluster } from '../support/nats-cluster.ts';
import { provisionTask } from '../support/queue.ts';
import { SmallDisk, whyNoSmallDisk } from '../support/small-disk.ts';
import { silent } from '../support/store.ts';

if (whyNoSmallDisk !== '')
  process.stderr.write(`The tests of a NATS with a full disk are skipped: ${whyNoSmallDisk}\n`);

/** Freed, it has more room than watched.sh waits for. */
const DISK_MIB = 32;
const PATIENCE = { timeoutMs: 120_000 };
const LOGIN = { user: 'try-it-now', password: 'secret' };

const put = (connection: QueueConnection): Promise<void> =>
  createPublisher({ connection, log: silent, timeoutMs: 500 }).publishProvision([provisionTask()]);

async function untilRefused(work: () => Promise<void>): Promise<void> {
  await eventually(async () => {
    const refused = await work().then(
      () => false,
      () => true,
    );
    expect(refused).toBe(true);
  });
}

describe.skipIf(whyNoSmallDisk !== '' && process.env['CI'] !== 'true')(
  `a NATS whose disk was full${whyNoSmallDisk === '' ? '' : ` (skipped: ${whyNoSmallDisk})`}`,
  () => {
    it.concurrent('waits for room and then stores again by itself, where it is alone', async () => {
      const releasers = new Releasers();
      try {
        const dir = await mkdtemp(join(tmpdir(), 'try-it-now-nats-full-'));
        releasers.push('folder', () => rm(dir, { recursive: true, force: true }));
        const store = join(dir, 'own');
        await mkdir(store);
        const disk = await SmallDisk.mount(dir, DISK_MIB);
        releasers.push('disk', () => disk[Symbol.asyncDispose]());
        const [port, monitorPort, events] = [await freePort(), await freePort(), [] as string[]];
        const ends: string[] = [];
        const launched: LaunchedNats[] = [];
        const guard = { account: undefined, ...LOGIN, watchEverySeconds: 1 };
        const supervised = await supervise(
          'NATS',
          async () => {
            const one = await launchNats({ dir, port, monitorPort, guard });
            launched.push(one);
            return one;
          },
          {
            onLost: (name, how) => {
              events.push(`${name} lost`);
              ends.push(how);
            },
            onRestored: (name) => events.push(`${name} restored`),
          },
        );
        releasers.push('NATS', () => supervised.stop());
        const connection = await connectQueue({ url: supervised.first.url, ...LOGIN, log: silent });
        releasers.push('connection', () => connection.close());
        await ensureStreamsAndConsumers(connection, 'node0', DELIVERY_POLICY);
        await put(connection);

        await disk.fill();
        await untilRefused(() => put(connection));
        await eventually(
          () => expect(launched[0]?.server.tail()).toContain('has to wait for room on the disk'),
          PATIENCE,
        );
        expect(events).toEqual([]);
        await disk.free();
        await eventually(() => expect(events).toEqual(['NATS lost', 'NATS restored']), PATIENCE);
        // And not hundreds of lines of Go after it.
        expect(ends).toEqual([expect.stringContaining('watched.sh: ends nats-server')]);
        await eventually(() => put(connection));
        expect((await connection.manager.streams.info('PROVISIONING')).state.messages).toBeGreaterThanOrEqual(2);
      } finally {
        await releasers.releaseAll(silent);
      }
    });

    it.concurrent('is ended to be started again, with all that it missed, in a cluster', async () => {
      const releasers = new Releasers();
      try {
        let disk: SmallDisk | undefined;
        const cluster = await NatsCluster.start(3, {
          watched: true,
          prepare: async ([first]) => {
            if (first === undefined) return;
            const mounted = await SmallDisk.mount(first.store, DISK_MIB);
            releasers.push('disk', () => mounted[Symbol.asyncDispose]());
            disk = mounted;
          },
        });
        const [first, second] = cluster.nodes;
        if (first === undefined || second === undefined || disk === undefined) throw new Error('there are three');
        releasers.push('cluster', () => cluster[Symbol.asyncDispose]());
        // Before its folder goes. The one above is for a cluster that does not come up.
        releasers.push('disk', () => disk?.[Symbol.asyncDispose]());
        const connection = await connectQueue({ url: second.url, replicas: 3, log: silent });
        releasers.push('connection', () => connection.close());
        await ensureStreamsAndConsumers(connection, 'node0', DELIVERY_POLICY);
        const whole = async (): Promise<boolean> =>
          (await copies(connection)).find(({ what }) => what === 'stream PROVISIONING')?.current.length === 3;
        await eventually(async () => expect(await whole()).toBe(true));

        await disk.fill();
        await eventually(async () => {
          await put(connection);
          expect(await whole()).toBe(false);
        });
        await eventually(() => expect(first.tail()).toContain('has to wait for room on the disk'), PATIENCE);
        expect(first.alive).toBe(true);
        await disk.free();
        await first.exited;
        await first.start();
        await eventually(async () => {
          await put(connection);
          expect(await whole()).toBe(true);
        }, PATIENCE);
      } finally {
        await releasers.releaseAll(silent);
      }
    });

    it.concurrent('has doctor say so, and what to do, while nothing has it started again', async () => {
      const releasers = new Releasers();
      try {
        const dir = await mkdtemp(join(tmpdir(), 'try-it-now-nats-full-'));
        releasers.push('folder', () => rm(dir, { recursive: true, force: true }));
        const store = join(dir, 'store');
        await mkdir(store);
        const disk = await SmallDisk.mount(store, DISK_MIB);
        releasers.push('disk', () => disk[Symbol.asyncDispose]());
        const config = join(dir, 'nats.conf');
        // Of its own, since doctor looks for the monitoring at the usual port.
        const port = await freePort();
        const address = `127.77.${Math.floor(port / 256)}.${(port % 255) + 1}`;
        await writeFile(
          config,
          JSON.stringify({
            listen: `${address}:${port}`,
            http: `${address}:8222`,
            jetstream: { store_dir: store, max_file_store: 2 ** 30 },
          }),
        );
        const server = await ChildServer.start({
          name: 'NATS',
          command: 'nats-server',
          args: ['-c', config],
          cleanEnv: true,
          saysUp: 'Server is ready',
        });
        // As it hangs, it does not end otherwise.
        releasers.push('NATS', async () => {
          server.signal('SIGKILL');
          await server.exited;
        });
        const connection = await connectQueue({ url: `nats://${address}:${port}`, log: silent });
        releasers.push('connection', () => connection.close());
        await ensureStreamsAndConsumers(connection, 'node0', DELIVERY_POLICY);
        const health = async () =>
          (await runChecks(natsChecks(new Shared(() => Promise.resolve(connection), 'absent'), 'node0'))).find(
            ({ what }) => what === 'health',
          );
        await put(connection);
        expect(await health()).toMatchObject({ verdict: 'ok' });

        await disk.fill();
        const gaveUp = {
          verdict: 'failure',
          seen: expect.stringMatching(/JetStream hangs|write error/) as string,
          remedy: expect.stringMatching(/^Make room on its disk\. As shipped it is started again by itself/) as string,
        };
        await eventually(async () => {
          await put(connection).catch(() => undefined);
          expect(await health()).toMatchObject(gaveUp);
        });
        await disk.free();
        expect(await health()).toMatchObject(gaveUp);
      } finally {
        await releasers.releaseAll(silent);
      }
    });
  },
);

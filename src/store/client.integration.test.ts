import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis as Valkey } from 'iovalkey';
import { expect, it } from 'vitest';
import { eventually } from '../../test/support/eventually.ts';
import { silent, startStore, fillPool } from '../../test/support/store.ts';
import { suspend } from '../../test/support/suspend.ts';
import { template } from '../../test/support/templates.ts';
import { ChildServer } from '../launcher/child-server.ts';
import { freePort } from '../launcher/tcp-ports.ts';
import { launchValkey } from '../launcher/valkey.ts';
import { sleep } from '../lifecycle/sleep.ts';
import { COMMAND_TIMEOUT_MS, connectValkey, storeError } from './client.ts';
import { openStore } from './store.ts';

const take = {
  template: template(),
  clientKey: '192.0.2.1',
  owner: 'somebody',
  idempotencyKey: undefined,
  ttlMs: 60_000,
};

it.concurrent(
  'answers store_unavailable while Valkey hangs, sends it nothing more once that is known, and is back by itself',
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'tin-client-'));
    const valkey = await launchValkey({ dir });
    const port = Number(valkey.address.split(':')[1]);
    const store = await openStore({
      valkey: { host: '127.0.0.1', port, password: undefined },
      node: { name: 'node0', address: '127.0.0.1' },
      limits: { hourly: 0, daily: 0 },
      portRange: { start: 21_000, end: 21_009 },
      portCoolDownMs: 200,
      log: silent,
    });
    try {
      await suspend(valkey.server);
      await expect(store.claimStore.claim(take)).rejects.toMatchObject({
        code: 'store_unavailable',
        retryAfterMs: 2_000,
      });
      await Promise.all(
        Array.from({ length: 50 }, () =>
          expect(store.claimStore.claim(take)).rejects.toMatchObject({ code: 'store_unavailable' }),
        ),
      );
      valkey.server.signal('SIGCONT');
      await eventually(async () => expect(await store.claimStore.claim(take)).toMatchObject({ kind: 'empty' }));
      const probe = new Valkey(port, '127.0.0.1');
      const stats = await probe.info('commandstats');
      probe.disconnect();
      // The one in flight when it began to hang, and those of the recovery; none of the fifty.
      expect(Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1])).toBeLessThan(20);
    } finally {
      valkey.server.signal('SIGCONT');
      await store.close();
      await valkey.server.stop();
      await rm(dir, { recursive: true, force: true });
    }
  },
);

it.concurrent('hands nothing out for a claim that is carried out after its visitor was told to try again', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'tin-client-'));
  const valkey = await launchValkey({ dir });
  const port = Number(valkey.address.split(':')[1]);
  const store = await openStore({
    valkey: { host: '127.0.0.1', port, password: undefined },
    node: { name: 'node0', address: '127.0.0.1' },
    limits: { hourly: 0, daily: 0 },
    portRange: { start: 21_000, end: 21_009 },
    portCoolDownMs: 200,
    log: silent,
  });
  try {
    await store.inventory.reconcilePorts();
    const four = template({ pool: { target: 4, max: 4, replenishThreshold: 0 } });
    await fillPool(store, four);
    expect(await store.claimStore.claim(take)).toMatchObject({ kind: 'taken' });
    await suspend(valkey.server);
    // One after another over the time of the first, so that each is told at a time of its own.
    const told = [0, 500, 1_000, 1_500].map(async (afterMs) => {
      await sleep(afterMs);
      await expect(store.claimStore.claim(take)).rejects.toMatchObject({ code: 'store_unavailable' });
    });
    await Promise.all(told);
    valkey.server.signal('SIGCONT');
    await eventually(async () =>
      expect((await store.inventory.stats([four])).get('tiny')).toMatchObject({ ready: 3, assigned: 1 }),
    );
    await eventually(async () => expect(await store.claimStore.claim(take)).toMatchObject({ kind: 'taken' }));
  } finally {
    valkey.server.signal('SIGCONT');
    await store.close();
    await valkey.server.stop();
    await rm(dir, { recursive: true, force: true });
  }
});

it.concurrent(
  'says so when Valkey answers that it is still reading its data in, and serves as soon as it has',
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'tin-client-'));
    const port = await freePort();
    const start = (...args: string[]): Promise<ChildServer> =>
      ChildServer.start({
        name: 'Valkey',
        command: 'valkey-server',
        args: ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', ...args],
        saysUp: 'oading',
      });
    const full = await launchValkey({ dir, port });
    const writer = new Valkey(port, '127.0.0.1');
    // As large in its file as in memory, so that there is a look at clients after every key.
    await writer.config('SET', 'rdbcompression', 'no');
    await Promise.all(Array.from({ length: 300 }, (_, at) => writer.set(`key${at}`, 'x'.repeat(2_000))));
    await writer.save();
    writer.disconnect();
    await full.server.stop();
    // A tenth of a second a key, and a look at its clients now and then, as with a database of gigabytes.
    const loading = await start('--key-load-delay', '100000', '--loading-process-events-interval-bytes', '1024');
    const asker = new Valkey(port, '127.0.0.1', {
      enableReadyCheck: false,
      maxRetriesPerRequest: 100,
      retryStrategy: () => 20,
    });
    asker.on('error', () => undefined);
    try {
      const refused: unknown = await asker.get('key1').catch((error: unknown) => error);
      expect(refused).toMatchObject({ message: expect.stringMatching(/^LOADING/) as string });
      expect(storeError(refused)).toMatchObject({
        code: 'store_unavailable',
        status: 503,
        message: expect.stringContaining('LOADING') as string,
      });
      const connecting = connectValkey({ host: '127.0.0.1', port, password: undefined, log: silent });
      await asker.config('SET', 'key-load-delay', '0');
      const client = await connecting;
      expect(await client.get('key1')).toHaveLength(2_000);
      client.disconnect();
    } finally {
      asker.disconnect();
      await loading.stop();
      await rm(dir, { recursive: true, force: true });
    }
  },
);

it('takes the answer that came while this process stood still for longer than an answer may take', async () => {
  await using store = await startStore();
  const client = await connectValkey({ ...store.address, password: undefined, log: silent });
  try {
    const answer = client.ping();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, COMMAND_TIMEOUT_MS + 100);
    expect(await answer).toBe('PONG');
  } finally {
    client.disconnect();
  }
});

it.concurrent('leaves the error of a wrong command as it is', async () => {
  await using store = await startStore();
  const wrong: unknown = await store.valkey.call('HGET', 'instances').catch((error: unknown) => error);
  expect(storeError(wrong)).toBe(wrong);
});

it.concurrent('names each reason for which a Valkey that answers cannot serve, with its remedy', async () => {
  await using store = await startStore();
  const { valkey, address } = store;
  const refusal = (): Promise<unknown> =>
    store.provisioningStore.reserveTickets(take.template).catch((error: unknown) => error);
  const saying = (text: string) =>
    expect.objectContaining({ code: 'store_unavailable', message: expect.stringMatching(text) as string }) as unknown;

  await valkey.config('SET', 'maxmemory', '1');
  expect(await refusal()).toEqual(saying('^Valkey takes no changes, because its memory is used up .*`maxmemory`'));
  await valkey.config('SET', 'maxmemory', '0');

  await valkey.replicaof('127.0.0.1', '1');
  expect(await refusal()).toEqual(saying('^Valkey takes no changes, because it is the replica .*VALKEY_ADDR'));
  await valkey.replicaof('NO', 'ONE');

  const [, folder = ''] = (await valkey.config('GET', 'dir')) as string[];
  expect(folder).toContain('try-it-now-valkey-');
  await valkey.config('SET', 'save', '3600 1');
  await rm(folder, { recursive: true });
  await valkey.bgsave();
  await eventually(async () => expect(await valkey.info('persistence')).toContain('rdb_last_bgsave_status:err'));
  expect(await refusal()).toEqual(saying('^Valkey takes no changes, because it cannot write its files .*make room'));
  await expect(connectValkey({ ...address, password: undefined, log: silent })).rejects.toEqual(
    saying(`^Valkey at 127.0.0.1:${address.port} takes no changes, because it cannot write its files .*make room`),
  );
  await valkey.config('SET', 'save', '');

  await valkey.config('SET', 'requirepass', 'a password');
  for (const [password, says] of [
    [undefined, 'wants another login .*set VALKEY_PASSWORD'],
    ['another', 'refuses the password, .*set VALKEY_PASSWORD'],
  ] as const)
    await expect(connectValkey({ ...address, password, log: silent })).rejects.toEqual(
      saying(`^Valkey at 127.0.0.1:${address.port} ${says}`),
    );
});

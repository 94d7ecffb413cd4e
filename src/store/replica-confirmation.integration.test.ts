import { Redis as Valkey } from 'iovalkey';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startCuttableReplica, type CuttableReplica } from '../../test/support/cuttable-replica.ts';
import { CuttableWire } from '../../test/support/cuttable-wire.ts';
import { eventually } from '../../test/support/eventually.ts';
import { LogBook } from '../../test/support/queue.ts';
import { fillPool, silent } from '../../test/support/store.ts';
import { click } from '../../test/support/store-cases.ts';
import { template } from '../../test/support/templates.ts';
import { ValkeyFleet } from '../../test/support/valkey-fleet.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import type { ClaimOutcome } from '../pool/interfaces/claim-store.ts';
import { keys } from './keys.ts';
import { openStore, type Store } from './store.ts';

const six = template({ pool: { target: 6, max: 40, replenishThreshold: 0 } });
const releasers = new Releasers();
let log: LogBook;
let replica: CuttableReplica;
/** Where the store looks for its Valkey. */
let wire: CuttableWire;
let primary: Valkey;
let store: Store;

beforeEach(async () => {
  log = new LogBook();
  const fleet = await ValkeyFleet.create();
  releasers.push('fleet', () => fleet[Symbol.asyncDispose]());
  const server = await fleet.valkey();
  primary = new Valkey(server.port, server.host);
  releasers.push('client', () => primary.disconnect());
  replica = await startCuttableReplica(fleet, server);
  releasers.push('replica', () => replica[Symbol.asyncDispose]());
  wire = await CuttableWire.to(server);
  releasers.push('wire', () => wire[Symbol.asyncDispose]());
  store = await openStore({
    valkey: { host: '127.0.0.1', port: wire.port, password: undefined },
    node: { name: 'node0', address: '127.0.0.1' },
    limits: { hourly: 0, daily: 0 },
    portRange: { start: 21_000, end: 21_099 },
    portCoolDownMs: 200,
    log,
  });
  releasers.push('store', store.close);
  await store.inventory.reconcilePorts();
});
afterEach(() => releasers.releaseAll(silent));

const claim = (): Promise<ClaimOutcome> => store.claimStore.claim(click({ template: six }));
const REFUSED = { code: 'store_unavailable', status: 503, retryAfterMs: 2_000 };

it('tells nobody of what no replica has, and then changes nothing more until one has', async () => {
  await fillPool(store, six);
  expect(await claim()).toMatchObject({ kind: 'taken' });
  await store.requirePrimary();
  replica.wire.cut();
  expect(await claim()).toMatchObject({ kind: 'unconfirmed', isNew: true, error: REFUSED });
  await expect(claim()).rejects.toMatchObject(REFUSED);
  await expect(store.claimStore.confirm()).rejects.toMatchObject(REFUSED);
  await expect(store.requirePrimary()).rejects.toMatchObject(REFUSED);
  expect(await primary.get(keys.claimCount)).toBe('2');
  replica.wire.join();
  await eventually(async () => expect(await claim()).toMatchObject({ kind: 'taken' }));
  expect(await replica.client.get(keys.claimCount)).toBe('3');
  expect(log.with('Whether a replica of Valkey has what was changed last is not known')).toHaveLength(1);
  expect(log.with('instances are handed out again')).toHaveLength(1);
});

it('misses nothing when a replica takes over from a primary that was cut off', async () => {
  const retired: string[] = [];
  const guard = store.rollbackGuard.watch((instances) => retired.push(...instances.map(({ id }) => id)));
  releasers.push('guard', guard.stop);
  const ready = (await fillPool(store, six)).map(({ id }) => id);
  const kept = await claim();
  replica.wire.cut();
  const lost = await claim();
  expect(lost).toMatchObject({ kind: 'unconfirmed' });
  // It looks at what the cut-off primary knows, too.
  await store.rollbackGuard.check();
  await replica.client.replicaof('NO', 'ONE');
  wire.lead(replica.server);
  const next = await eventually(async () => {
    const outcome = await claim();
    expect(outcome).toMatchObject({ kind: 'taken' });
    return outcome;
  });
  expect(retired).toEqual([]);
  expect(ready).toContain('id' in next ? next.id : undefined);
  expect(next).not.toMatchObject({ id: 'id' in kept ? kept.id : undefined });
});

it('waits for no replica where none is wanted', async () => {
  await primary.config('SET', 'min-replicas-to-write', '0');
  replica.wire.cut();
  await fillPool(store, six);
  expect(await claim()).toMatchObject({ kind: 'taken' });
  expect(store.claimStore.confirm()).toBeUndefined();
});

it('is ready while its replicas are known to be gone, and not once they were silent before that', async () => {
  await fillPool(store, six);
  replica.server.server.signal('SIGSTOP');
  await expect(claim()).resolves.toMatchObject({ kind: 'unconfirmed' });
  await primary.call('CLIENT', 'KILL', 'TYPE', 'REPLICA');
  await eventually(async () => expect(await primary.info('replication')).toContain('min_slaves_good_slaves:0'));
  await expect(store.requirePrimary()).rejects.toMatchObject(REFUSED);
  replica.server.server.signal('SIGCONT');
  await eventually(() => store.requirePrimary());
  await replica.server.server.stop();
  await eventually(async () => expect(await primary.info('replication')).toContain('min_slaves_good_slaves:0'));
  await store.requirePrimary();
  await expect(claim()).rejects.toMatchObject({
    ...REFUSED,
    message: expect.stringContaining('too few replicas') as string,
  });
});

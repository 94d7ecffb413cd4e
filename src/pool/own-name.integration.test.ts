import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { fleetNode } from '../../test/support/fleet.ts';
import { LogBook } from '../../test/support/queue.ts';
import { startStore, type TestStore } from '../../test/support/store.ts';
import type { Heartbeat } from '../domain/node.ts';
import { keys } from '../store/keys.ts';
import { requireOwnName } from './own-name.ts';

let store: TestStore;
let log: LogBook;
beforeAll(async () => {
  store = await startStore();
});
afterAll(() => store[Symbol.asyncDispose]());
beforeEach(async () => {
  await store.clear();
  log = new LogBook();
});

async function beatFrom(where: Partial<Heartbeat>): Promise<void> {
  const { heartbeat } = fleetNode({ heartbeat: where });
  if (heartbeat !== undefined) await store.registry.beat(heartbeat);
}

const required = (boot: string | undefined = 'boot-b'): Promise<void> =>
  requireOwnName({
    ...{ registry: store.registry, host: 'host-b', boot, log, lookMs: 20 },
    node: { name: 'node0', address: '10.0.0.2' },
  });

it.each<readonly [string, Partial<Heartbeat> | undefined]>([
  ['that is new', undefined],
  ['of this host, as after a restart, or where several of its processes share it', { boot: 'boot-b', host: 'pod' }],
  ['of a version that does not say where it runs', {}],
])('A name %s is taken at once', async (_, heartbeat) => {
  if (heartbeat !== undefined) await beatFrom(heartbeat);
  await required();
  expect(log.lines).toEqual([]);
});

it('Where nobody can tell on which host this runs, nothing is refused', async () => {
  await beatFrom({ boot: 'boot-a' });
  await requireOwnName({
    ...{ registry: store.registry, host: 'host-b', boot: undefined, log },
    node: { name: 'node0', address: '10.0.0.2' },
  });
});

it('A name of another host that is alive is refused, and both are named', async () => {
  const other = { boot: 'boot-a', host: 'host-a', address: '10.0.0.1' };
  await beatFrom(other);
  const beating = setInterval(() => void beatFrom(other), 100);
  try {
    await expect(required()).rejects.toMatchObject({
      code: 'invalid_config',
      message: expect.stringMatching(/NODE_NAME=node0 .* host-a at 10\.0\.0\.1, .* host-b at 10\.0\.0\.2,/) as string,
    });
  } finally {
    clearInterval(beating);
  }
});

it('A name is waited for that this host had before a reboot, or that a host leaves to another', async () => {
  await beatFrom({ boot: 'boot-a' });
  await store.valkey.pexpire(keys.heartbeat('node0'), 300);
  await required();
  expect(log.with('waiting for its end')).toHaveLength(1);
  expect((await store.registry.node('node0'))?.heartbeat).toBeUndefined();
});

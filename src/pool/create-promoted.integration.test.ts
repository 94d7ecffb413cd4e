import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { RepositoryInFolder } from '../../test/support/checkpoint-files.ts';
import { HeldWire } from '../../test/support/held-wire.ts';
import { SimulatedCheckpointing } from '../../test/support/simulated-checkpointing.ts';
import { silent, startStore, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { Catalogue, settingsVersion, templateVersion } from '../domain/template.ts';
import { freePort } from '../launcher/tcp-ports.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { HttpProbe } from '../runtime/readiness/http-probe.ts';
import { SimulatedRuntime } from '../runtime/simulated/simulated-runtime.ts';
import { openStore, type Store } from '../store/store.ts';
import type { CheckpointDeps } from './checkpoint-command.ts';
import { createCheckpoint, createPromoted } from './checkpoints.ts';

const never = new AbortController().signal;
const tiny = template({ identity: 'none', warmup: [] });

let releasers: Releasers;
let store: TestStore;
let here: RepositoryInFolder;

beforeEach(async () => {
  releasers = new Releasers();
  store = await startStore();
  releasers.push('store', () => store[Symbol.asyncDispose]());
  here = await RepositoryInFolder.make();
  releasers.push('files', () => here[Symbol.asyncDispose]());
});
afterEach(() => releasers.releaseAll(silent));

const has = async (): Promise<string[]> => (await here.checkpointRepository.list()).map(({ id }) => id);

function deps({
  promotions,
}: Pick<Store, 'promotions'>): CheckpointDeps & { catalogue: Catalogue; checkpointing: SimulatedCheckpointing } {
  const runtime = new SimulatedRuntime();
  return {
    ...{ runtime, promotions, freePort, log: silent },
    catalogue: new Catalogue([tiny]),
    checkpointing: new SimulatedCheckpointing(runtime),
    checkpointRepository: here.checkpointRepository,
    databases: undefined,
    probe: new HttpProbe(),
    node: { address: '127.0.0.1' },
    address: { scheme: 'http', baseDomain: 'localhost', port: undefined },
    draftArchive: async () => {
      await mkdir(here.dir, { recursive: true });
      return join(here.home, `draft-${await freePort()}`);
    },
  };
}

it('keeps what it promoted, without the time that it was given for that', async () => {
  const { metadata } = await createPromoted(deps(store), tiny.name, () => undefined, never);
  expect(await store.promotions.status(tiny.name)).toMatchObject({ current: metadata.id });
  expect((await here.checkpointRepository.metadata(metadata.id)).keepUntil).toBeUndefined();
});

it('goes by the template that it started, whatever is reloaded meanwhile', async () => {
  const parts = deps(store);
  const onStep = (): void => parts.catalogue.replace([{ ...tiny, env: { MODE: 'other' } }]);
  expect(await createCheckpoint(parts, tiny.name, onStep, never)).toMatchObject({
    templateVersion: templateVersion(tiny),
    settingsVersion: settingsVersion(tiny),
  });
});

it('deletes what does not restore', async () => {
  const broken = deps(store);
  broken.checkpointing.restore = () => Promise.reject(new Error('no clone comes up'));
  await expect(createPromoted(broken, tiny.name, () => undefined, never)).rejects.toThrow('no clone comes up');
  expect(await has()).toEqual([]);
});

it('keeps what was promoted without an answer', async () => {
  await using wire = await HeldWire.to(store.address);
  const held = await openStore({
    valkey: { host: '127.0.0.1', port: wire.port, password: undefined },
    node: { name: 'node0', address: '127.0.0.1' },
    limits: { hourly: 0, daily: 0 },
    portRange: store.portRange,
    portCoolDownMs: 200,
    log: silent,
  });
  try {
    const onStep = (step: string): void => {
      if (step === 'promoting') wire.holdAt('reply', 1);
    };
    await expect(createPromoted(deps(held), tiny.name, onStep, never)).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    const { current } = await store.promotions.status(tiny.name);
    expect(await has()).toEqual([current]);
  } finally {
    wire.letGo();
    await held.close();
  }
});

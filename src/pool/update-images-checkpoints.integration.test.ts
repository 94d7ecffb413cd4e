import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RepositoryInFolder } from '../../test/support/checkpoint-files.ts';
import { HOUR_MS, ImageProcess, NAME, app, image, world } from '../../test/support/image-updating.ts';
import { silent, startStore, type TestStore } from '../../test/support/store.ts';
import { TryItNowError } from '../domain/errors.ts';
import { versionsOf, type Template } from '../domain/template.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { prunable } from './checkpoints.ts';
import { removeTrial } from './image-leftovers.ts';
import { rollBackImage } from './operate-images.ts';

let releasers: Releasers;
let store: TestStore;

const [OLD, NEW] = [image(1), image(2)];

beforeAll(async () => {
  store = await startStore();
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
});
beforeEach(async () => {
  releasers = new Releasers();
  await store.clear();
  world.nowMs = Date.parse('2026-01-02T03:04:05Z');
  world.registry = OLD;
  world.faults.clear();
});
afterEach(() => releasers.releaseAll(silent));

/** One whose image is known, and what visitors get. */
async function settled(): Promise<ImageProcess> {
  const files = await RepositoryInFolder.make();
  releasers.push('files', () => files[Symbol.asyncDispose]());
  const server = new ImageProcess(store, files);
  releasers.push('engine', () => server.engine.close());
  server.engine.local.set(NAME, OLD);
  await server.round();
  expect(await server.serves()).toBe(OLD.id);
  return server;
}

const anHourLater = (): void => {
  world.nowMs += HOUR_MS;
};

describe('a template with a promoted checkpoint', () => {
  const HELD = 'a'.repeat(16);

  it('gets one of the new image in the same step, and the one before back on the way back', async () => {
    const server = await settled();
    await store.promotions.promote('tiny', HELD);
    world.registry = NEW;
    anHourLater();
    await server.round();
    const [made] = await server.checkpoints();
    expect(await server.shown()).toMatchObject({ pin: NEW, former: { promoted: { tiny: made } } });
    expect(await store.promotions.status('tiny')).toMatchObject({ current: made, earlier: [HELD] });
    // Both clones of its verification were restored from it.
    expect(server.checkpointing.restored).toEqual([made, made]);
    expect(await server.left()).toEqual([]);
    await rollBackImage(server.operators, 'tiny');
    expect(await store.promotions.status('tiny')).toMatchObject({ current: HELD, earlier: [] });
    // Forward again, as often as an operator likes.
    for (let times = 0; times < 2; times += 1) {
      await rollBackImage(server.operators, 'tiny');
      expect(await server.shown()).toMatchObject({ pin: NEW, former: { pin: OLD, promoted: { tiny: made } } });
      expect(await store.promotions.status('tiny')).toMatchObject({ current: made, earlier: [HELD] });
      await rollBackImage(server.operators, 'tiny');
      expect(await server.shown()).toMatchObject({ pin: OLD, former: { pin: NEW, promoted: {} } });
      expect(await store.promotions.status('tiny')).toMatchObject({ current: HELD, earlier: [] });
    }
  });

  it('is restored on the way forward from what it was restored from, and from nothing else', async () => {
    const server = await settled();
    await store.promotions.promote('tiny', HELD);
    world.registry = NEW;
    anHourLater();
    await server.round();
    // An operator's own has come before the one of the new image.
    await store.promotions.promote('tiny', 'c'.repeat(16));
    const { current, earlier } = await store.promotions.status('tiny');
    for (let times = 0; times < 2; times += 1) await rollBackImage(server.operators, 'tiny');
    expect(await server.serves()).toBe(NEW.id);
    expect(await store.promotions.status('tiny')).toMatchObject({ current, earlier });
  });

  it('has the one of the new image kept on every host while a rollback leads forward to it', async () => {
    const server = await settled();
    await store.promotions.promote('tiny', HELD);
    world.registry = NEW;
    anHourLater();
    await server.round();
    const [made = ''] = await server.checkpoints();
    await rollBackImage(server.operators, 'tiny');
    const { checkpointRepository } = server.files;
    const { promotions, imageUpdates: updates } = store;
    const deps = { catalogue: server.operators.catalogue, checkpointRepository, promotions, updates };
    expect(await prunable(deps, 0)).toEqual([]);
    await removeTrial({ ...deps, runtime: server.engine, log: silent }, NAME, await server.shown(), []);
    expect(await server.checkpoints()).toEqual([made]);
    // Where nothing leads to it any more, an operator may remove it; it is not what a trial left behind.
    await store.valkey.hdel(`image_update:${NAME}`, 'former');
    expect(await prunable(deps, 0)).toEqual([made]);
    await removeTrial({ ...deps, runtime: server.engine, log: silent }, NAME, await server.shown(), []);
    expect(await server.checkpoints()).toEqual([made]);
  });

  it('has the one of the new image outlive what Valkey knows, and not what a trial leaves behind', async () => {
    const server = await settled();
    await store.promotions.promote('tiny', HELD);
    world.registry = NEW;
    anHourLater();
    await server.round();
    const [made = ''] = await server.checkpoints();
    const { checkpointRepository } = server.files;
    const left = await server.files.added({
      template: 'tiny',
      forImage: NAME,
      keepUntil: new Date(world.nowMs + HOUR_MS).toISOString(),
    });
    expect(new Set(await server.checkpoints())).toEqual(new Set([made, left.id]));
    await store.clear();
    const deps = { checkpointRepository, promotions: store.promotions, runtime: server.engine, log: silent };
    await removeTrial(deps, NAME, { former: undefined }, []);
    expect(await server.checkpoints()).toEqual([made]);
  });

  it.each([
    ['none that restores can be made of it', new TryItNowError('restore_failed', 'no clone comes up'), 'refused 1'],
    ['this host fails', new Error('the disk is gone'), 'untried 1'],
    ['its disk is full', new TryItNowError('host_failed', 'no space is left on its disk'), 'untried 1'],
  ])('keeps image and checkpoint where %s', async (_, failure, trials) => {
    const server = await settled();
    await store.promotions.promote('tiny', HELD);
    server.checkpointing.restore = () => Promise.reject(failure);
    world.registry = NEW;
    anHourLater();
    await server.round();
    expect([await server.serves(), await server.trials()]).toEqual([OLD.id, [trials]]);
    expect([await server.checkpoints(), await server.left()]).toEqual([[], []]);
    expect(await store.promotions.status('tiny')).toMatchObject({ current: HELD });
  });
});

it('has the version of its checkpoint be that of the template, whatever image stands in', async () => {
  const server = await settled();
  await store.promotions.promote('tiny', 'b'.repeat(16));
  world.registry = NEW;
  anHourLater();
  await server.round();
  const { templateVersion, settingsVersion } = await server.metadata();
  expect({ templateVersion, settingsVersion }).toEqual(versionsOf(app satisfies Template));
});

const changed = { ...app, env: { MODE: 'other' } };

it.each([
  ['a template that was changed', [changed]],
  ['one that came to it', [app, { ...app, name: 'other' }]],
])('tries it again with %s meanwhile, and takes nothing of what it was', async (_, templates) => {
  const server = await settled();
  const held = 'b'.repeat(16);
  await store.promotions.promote('tiny', held);
  world.registry = NEW;
  anHourLater();
  server.engine.meanwhile = () => {
    server.engine.meanwhile = undefined;
    server.operators.catalogue.replace(templates);
    return Promise.resolve();
  };
  await server.round();
  expect([await server.serves(), await server.trials(), await server.checkpoints()]).toEqual([
    OLD.id,
    ['untried 1'],
    [],
  ]);
  expect(await store.promotions.status('tiny')).toMatchObject({ current: held });
  anHourLater();
  await server.round();
  expect(await server.serves()).toBe(NEW.id);
  const { templateVersion, settingsVersion } = await server.metadata();
  expect({ templateVersion, settingsVersion }).toEqual(versionsOf(templates[0] ?? app));
});

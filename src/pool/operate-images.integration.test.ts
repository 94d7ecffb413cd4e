import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RepositoryInFolder } from '../../test/support/checkpoint-files.ts';
import { HOUR_MS, ImageProcess, NAME, app, image, world } from '../../test/support/image-updating.ts';
import { silent, startStore, type TestStore } from '../../test/support/store.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { checkImage, holdImage, releaseImage, rollBackImage } from './operate-images.ts';

let releasers: Releasers;
let store: TestStore;

const [OLD, NEW, NEWER] = [image(1), image(2), image(3)];

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

async function process(options: ConstructorParameters<typeof ImageProcess>[2] = {}): Promise<ImageProcess> {
  const files = await RepositoryInFolder.make();
  releasers.push('files', () => files[Symbol.asyncDispose]());
  const made = new ImageProcess(store, files, options);
  releasers.push('engine', () => made.engine.close());
  return made;
}

/** One whose image is known, and what visitors get. */
async function settled(options: ConstructorParameters<typeof ImageProcess>[2] = {}): Promise<ImageProcess> {
  const server = await process(options);
  server.engine.local.set(NAME, OLD);
  await server.round();
  expect(await server.serves()).toBe(OLD.id);
  expect(server.engine.started).toEqual([]);
  return server;
}

const anHourLater = (): void => {
  world.nowMs += HOUR_MS;
};

describe('an operator', () => {
  it('holds an image as it is, also one that is being tried', async () => {
    const server = await settled();
    world.registry = NEW;
    anHourLater();
    server.engine.meanwhile = () => holdImage(server.operators, 'tiny', 'until the launch is over');
    await server.round();
    expect(await server.shown()).toMatchObject({
      state: 'held',
      pin: OLD,
      held: { reason: 'until the launch is over' },
      nextCheckMs: undefined,
    });
    await expect(checkImage(server.operators, 'tiny')).rejects.toMatchObject({ code: 'image_held' });
    // Held for longer than anything is recorded of a name that nobody goes by.
    await store.valkey.pexpire(`image_update:${NAME}`, HOUR_MS);
    server.engine.meanwhile = undefined;
    anHourLater();
    await server.round();
    expect([server.engine.fetched, await server.serves()]).toEqual([2, OLD.id]);
    expect(await store.valkey.pttl(`image_update:${NAME}`)).toBeGreaterThan(59 * 24 * HOUR_MS);
    await releaseImage(server.operators, NAME);
    await server.round();
    expect(await server.serves()).toBe(NEW.id);
  });

  it('goes back to the one before, which stays, and forward again', async () => {
    const server = await settled();
    await expect(rollBackImage(server.operators, 'tiny')).rejects.toMatchObject({ code: 'no_earlier_image' });
    world.registry = NEW;
    anHourLater();
    await server.round();
    expect(await server.serves()).toBe(NEW.id);
    await rollBackImage(server.operators, 'tiny');
    for (let hours = 0; hours < 2; hours += 1) {
      anHourLater();
      await server.round();
    }
    expect(await server.shown()).toMatchObject({
      state: 'current',
      pin: OLD,
      refused: { id: NEW.id, why: 'rolled_back' },
      former: { pin: NEW },
    });
    expect(server.engine.started).toHaveLength(1);
    // Another one is no part of that.
    world.registry = NEWER;
    anHourLater();
    await server.round();
    expect(await server.shown()).toMatchObject({ pin: NEWER, refused: undefined, former: { pin: OLD } });
    await rollBackImage(server.operators, 'tiny');
    await rollBackImage(server.operators, 'tiny');
    expect(await server.serves()).toBe(NEWER.id);
  });

  it('is told what cannot be done', async () => {
    const server = await settled({ templates: [{ ...app, imageCheck: undefined }] });
    expect((await server.shown()).state).toBe('unchecked');
    await expect(checkImage(server.operators, 'tiny')).rejects.toMatchObject({ code: 'image_not_checked' });
    await expect(checkImage(server.operators, 'nothing')).rejects.toMatchObject({ code: 'unknown_image' });
    // What its name leads to goes to visitors as it is.
    server.engine.local.set(NAME, NEW);
    await server.round();
    expect([await server.serves(), server.engine.started]).toEqual([NEW.id, []]);
  });

  it('has an image with `manual` looked for', async () => {
    const server = await settled({ templates: [{ ...app, imageCheck: { kind: 'manual' } }] });
    world.registry = NEW;
    anHourLater();
    await server.round();
    expect([server.engine.fetched, (await server.shown()).nextCheckMs]).toEqual([0, undefined]);
    await checkImage(server.operators, 'tiny');
    await server.round();
    expect(await server.serves()).toBe(NEW.id);
  });

  it.each([
    ['was never here', 0],
    ['is gone', 1],
  ])('is told that an image that is not fetched %s, and no more once it is here', async (_, roundsBefore) => {
    const server = await process({ templates: [{ ...app, pull: 'never' }] });
    server.engine.local.set(NAME, OLD);
    for (let rounds = 0; rounds < roundsBefore; rounds += 1) await server.round();
    server.engine.local.clear();
    await checkImage(server.operators, 'tiny');
    await server.round();
    expect(await server.shown()).toMatchObject({
      state: roundsBefore === 0 ? 'unknown' : 'current',
      asked: undefined,
      checked: { problem: { reason: 'this host has no image of that name' } },
    });
    const again = await process({ templates: [{ ...app, pull: 'never' }] });
    again.engine.local.set(NAME, OLD);
    await again.round();
    expect(await again.shown()).toMatchObject({ state: 'current', pin: OLD, asked: undefined });
    expect((await again.shown()).checked?.problem).toBeUndefined();
  });

  it('sees when an image is looked for next, also where the clock was a year ahead at its last look', async () => {
    const rightMs = world.nowMs;
    world.nowMs += 365 * 24 * HOUR_MS;
    const server = await settled();
    await server.round();
    expect(await server.shown()).toMatchObject({ nextCheckMs: world.nowMs + HOUR_MS });
    world.nowMs = rightMs;
    expect(await server.shown()).toMatchObject({ nextCheckMs: rightMs });
    world.registry = NEW;
    await server.round();
    expect(await server.serves()).toBe(NEW.id);
    expect(await server.shown()).toMatchObject({ nextCheckMs: rightMs + HOUR_MS });
  });

  it('is told that no host can try an image whose templates are for different ones', async () => {
    const labelled = ['gpu', 'eu'].map((label) => ({ ...app, name: `on-${label}`, nodes: [label] }));
    const server = await settled({ templates: labelled });
    await checkImage(server.operators, NAME);
    await server.round();
    expect(await server.shown()).toMatchObject({
      state: 'asked',
      obstacle: 'no host has the labels eu and gpu, which on-gpu, on-eu ask for',
    });
    const plain = await settled();
    expect((await plain.shown()).obstacle).toBeUndefined();
  });

  it('is told that nobody has an image, nor its registry', async () => {
    const server = await process();
    world.registry = new Error('connection refused');
    await checkImage(server.operators, 'tiny');
    await server.round();
    expect(await server.shown()).toMatchObject({
      state: 'unknown',
      asked: undefined,
      checked: { problem: { reason: 'connection refused' } },
    });
    world.registry = OLD;
    await checkImage(server.operators, 'tiny');
    for (let rounds = 0; rounds < 2; rounds += 1) await server.round();
    expect(await server.shown()).toMatchObject({ state: 'current', pin: OLD, asked: undefined });
    expect(server.engine.started).toEqual([]);
  });
});

import { copyFile, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RepositoryInFolder, asPodmanExports } from '../../test/support/checkpoint-files.ts';
import { silent, startStore, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { Catalogue } from '../domain/template.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { removeUnused } from './remove-unused-checkpoints.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const tiny = template({ identity: 'none', warmup: [] });

let releasers: Releasers;
let store: TestStore;
let here: RepositoryInFolder;
let nowMs: number;

async function folder(): Promise<RepositoryInFolder> {
  const made = await RepositoryInFolder.make();
  releasers.push('files', () => made[Symbol.asyncDispose]());
  return made;
}

beforeEach(async () => {
  releasers = new Releasers();
  nowMs = Date.now();
  store = await startStore();
  releasers.push('store', () => store[Symbol.asyncDispose]());
  here = await folder();
});
afterEach(() => releasers.releaseAll(silent));

const until = (ms: number): string => new Date(ms).toISOString();
/** As `checkpoint create --promote` makes it. */
const toBePromoted = (): object => ({ keepUntil: until(nowMs + 2 * HOUR_MS) });

async function made(content: string, about: object = {}): Promise<string> {
  return (await here.added({ template: tiny.name, ...about }, asPodmanExports(Buffer.from(content)))).id;
}

/** What a server does every few seconds. */
async function looked(at = here): Promise<string[]> {
  const { checkpointRepository } = at;
  const { promotions, imageUpdates: updates } = store;
  const clock = { now: () => nowMs };
  await removeUnused({
    checkpointRepository,
    promotions,
    updates,
    clock,
    catalogue: new Catalogue([tiny]),
    log: silent,
  });
  return (await checkpointRepository.list()).map(({ id }) => id).sort();
}

/** Both files, as an operator brings them to another host. */
async function copied(id: string): Promise<RepositoryInFolder> {
  const there = await folder();
  for (const name of [`${id}.json`, `${id}.tar`]) {
    const to = there.at(tiny.name, name);
    await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    await copyFile(here.at(tiny.name, name), to);
  }
  return there;
}

describe('a checkpoint that was promoted', () => {
  it('stays after a rollback, so that an operator can go forward again', async () => {
    const id = await made('first', toBePromoted());
    await store.promotions.promote(tiny.name, id);
    expect(await looked()).toEqual([id]);
    await store.promotions.rollback(tiny.name);
    nowMs += 30 * DAY_MS;
    expect(await looked()).toEqual([id]);
    // Also while another one is restored.
    await store.promotions.promote(tiny.name, 'e'.repeat(16));
    expect(await looked()).toEqual([id]);
  });

  it.each([
    ['by an operator', {}],
    ['with a time to be promoted within', { keepUntil: until(Date.now() + 2 * HOUR_MS) }],
    ['for an image', { forImage: tiny.image, keepUntil: until(Date.now() + 6 * HOUR_MS) }],
    ['by another node', { fetched: true as const }],
    ['in place of another', { standsFor: 'e'.repeat(16) }],
  ])('and was made %s outlives what Valkey knows', async (_, about) => {
    const id = await made('first', about);
    await store.promotions.promote(tiny.name, 'standsFor' in about ? about.standsFor : id);
    expect(await looked()).toEqual([id]);
    await store.valkey.flushall();
    nowMs += 30 * DAY_MS;
    expect(await looked()).toEqual([id]);
    // It is said again.
    await store.promotions.promote(tiny.name, id);
    expect(await looked()).toEqual([id]);
  });

  it.each([
    ['a time that was over', { keepUntil: until(Date.now() - HOUR_MS) }],
    ['a time that is over, and an image', { forImage: tiny.image, keepUntil: until(Date.now() - HOUR_MS) }],
    ['the mark of another node', { fetched: true as const }],
  ])('stays where both its files were copied with %s', async (_, about) => {
    const there = await copied(await made('first', about));
    const before = await looked(there);
    expect(before).toHaveLength(1);
    nowMs += HOUR_MS;
    expect(await looked(there)).toEqual(before);
  });
});

describe('what came by itself', () => {
  it('goes a week after nothing leads to it any more, and not while something does', async () => {
    const id = await made('first', { fetched: true });
    await store.promotions.promote(tiny.name, id);
    await store.promotions.rollback(tiny.name);
    await store.promotions.promote(tiny.name, 'e'.repeat(16));
    expect(await looked()).toEqual([id]);
    nowMs += 6 * DAY_MS;
    await store.promotions.promote(tiny.name, id);
    expect(await looked()).toEqual([id]);
    await store.promotions.rollback(tiny.name);
    expect(await looked()).toEqual([id]);
    nowMs += 6 * DAY_MS;
    expect(await looked()).toEqual([id]);
    nowMs += 2 * DAY_MS;
    expect(await looked()).toEqual([]);
  });

  it('is not taken away from who restores from it by its own id', async () => {
    const id = await made('first', { standsFor: 'e'.repeat(16) });
    for (const each of ['e'.repeat(16), 'f'.repeat(16), id]) await store.promotions.promote(tiny.name, each);
    expect(await looked()).toEqual([id]);
  });

  it('and was never promoted goes when its time is over, where nothing is promoted either', async () => {
    await made('first', { keepUntil: until(nowMs + HOUR_MS) });
    expect(await looked()).toHaveLength(1);
    nowMs += 2 * HOUR_MS;
    expect(await looked()).toEqual([]);
  });
});

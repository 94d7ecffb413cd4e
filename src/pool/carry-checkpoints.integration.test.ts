import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CarryingNode, carryingNode, tiny } from '../../test/support/carrying-node.ts';
import { RepositoryInFolder, asPodmanExports, host } from '../../test/support/checkpoint-files.ts';
import { silent, startStore, type TestStore } from '../../test/support/store.ts';
import { openTrialRepository } from '../checkpoints/repository.ts';
import { sharedFolder } from '../checkpoints/shared-folder.ts';
import { TryItNowError } from '../domain/errors.ts';
import { Catalogue, templateVersion, type Template } from '../domain/template.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import type { CheckpointShare } from './interfaces/checkpoint-share.ts';
import { prunable } from './checkpoints.ts';

const DAY_MS = 24 * 3_600_000;

let releasers: Releasers;
let store: TestStore;
let shared: string;
let maker: CarryingNode;
let other: CarryingNode;
let nowMs: number;

/** Made on the maker and promoted there. */
async function promoted(content = asPodmanExports()): Promise<string> {
  const about = { template: tiny.name, templateVersion: templateVersion(tiny) };
  const { id } = await maker.files.added(about, content);
  await maker.store.promotions.promote(tiny.name, id);
  return id;
}

const nodeOf = (name: string, app?: Template, share = sharedFolder(shared)): Promise<CarryingNode> =>
  carryingNode(name, { releasers, store, share, now: () => nowMs, ...(app === undefined ? {} : { app }) });

beforeEach(async () => {
  releasers = new Releasers();
  nowMs = Date.now();
  store = await startStore();
  releasers.push('store', () => store[Symbol.asyncDispose]());
  const share = await RepositoryInFolder.make();
  releasers.push('share', () => share[Symbol.asyncDispose]());
  shared = share.home;
  maker = await nodeOf('node0');
  other = await nodeOf('node1');
});
afterEach(async () => {
  await releasers.releaseAll(silent);
});

describe('a promoted checkpoint', () => {
  it('is left for others once there are any that lack it, fetched, tried, and restored there', async () => {
    const id = await promoted();
    await maker.round();
    expect(await readdir(shared)).toEqual([]);
    expect(maker.arrival).toEqual({ checkpoint: id, state: 'here', detail: '' });

    await other.round();
    expect(other.arrival).toMatchObject({ checkpoint: id, state: 'waiting' });
    await maker.round();
    expect(await readdir(shared)).toEqual([`${id}.tar`]);
    await other.round();
    expect(other.arrival).toEqual({ checkpoint: id, state: 'here', detail: '' });
    // Two clones of the trial, and nothing is left of it.
    expect(other.checkpointing.restored).toEqual([id, id]);
    expect(await other.runtime.list()).toEqual([]);
    expect(await openTrialRepository({ dir: other.files.dir, log: silent }).list()).toEqual([]);
    expect(await other.restores(other.restorer(), id)).toBe(id);
    expect(await other.files.checkpointRepository.metadata(id)).toMatchObject({ fetched: true, host });
    expect([await maker.carried(), await other.carried()]).toEqual([['left success 1'], ['fetched success 1']]);
  });

  it('is gone from where it was left, and where it had arrived, once two others were promoted', async () => {
    const first = await promoted();
    await other.round();
    await maker.round();
    await other.round();
    const ids = [first];
    for (const content of ['second', 'third']) {
      ids.push(await promoted(asPodmanExports(Buffer.from(content))));
      await maker.round();
      await other.round();
      expect(await readdir(shared)).toEqual([`${ids.at(-1) ?? ''}.tar`]);
    }
    // What a rollback leads to is kept; what was made on a node is an operator's.
    expect((await other.has()).sort()).toEqual(ids.slice(1).sort());
    expect((await maker.has()).sort()).toEqual([...ids].sort());
  });

  it('that was to be, and was left by a kill before it was, is gone when its time is over', async () => {
    const until = (ms: number): object => ({ keepUntil: new Date(ms).toISOString() });
    const about = { template: tiny.name, templateVersion: templateVersion(tiny) };
    const add = async (content: string, more: object): Promise<string> =>
      (await maker.files.added({ ...about, ...more }, asPodmanExports(Buffer.from(content)))).id;
    const left = await add('left', until(nowMs + DAY_MS));
    const byHand = await add('by hand', {});
    const used = await add('used', until(nowMs + DAY_MS));
    await store.promotions.promote(tiny.name, used);
    await maker.round();
    expect((await maker.has()).sort()).toEqual([left, byHand, used].sort());
    nowMs += 2 * DAY_MS;
    await maker.round();
    expect((await maker.has()).sort()).toEqual([byHand, used].sort());
    // By a rollback that leads back to it, too.
    await store.promotions.promote(tiny.name, byHand);
    await maker.round();
    expect((await maker.has()).sort()).toEqual([byHand, used].sort());
  });

  it('of an image goes once two of other images have taken its place', async () => {
    const keepUntil = new Date(nowMs + 3_600_000).toISOString();
    const about = { template: tiny.name, templateVersion: templateVersion(tiny), keepUntil, forImage: tiny.image };
    const ids: string[] = [];
    for (const content of ['first', 'second', 'third', 'fourth']) {
      const { id } = await maker.files.added(about, asPodmanExports(Buffer.from(content)));
      await store.promotions.promote(tiny.name, id);
      ids.push(id);
      await maker.round();
    }
    expect((await maker.has()).sort()).toEqual(ids.slice(2).sort());
    // One that was never promoted may be about to be.
    const { id: made } = await maker.files.added(about, asPodmanExports(Buffer.from('fifth')));
    await maker.round();
    expect((await maker.has()).sort()).toEqual([...ids.slice(2), made].sort());
  });

  it('of an image stays while a rollback leads forward to it', async () => {
    const keepUntil = new Date(nowMs + 3_600_000).toISOString();
    const about = { template: tiny.name, templateVersion: templateVersion(tiny), keepUntil, forImage: tiny.image };
    const { id } = await maker.files.added(about, asPodmanExports());
    await store.promotions.promote(tiny.name, id);
    for (const node of [other, maker, other]) await node.round();
    expect(await other.has()).toEqual([id]);
    const pin = { v: 1, id: 'sha256:01', node: 'node0' } as const;
    const move = { name: tiny.image, from: pin, refused: undefined };
    await store.imagePins.agree(
      { name: tiny.image, id: pin.id, digest: undefined },
      { decides: true, triedFirst: true },
    );
    const former = { v: 1, pin, untilMs: nowMs, promoted: {} } as const;
    expect(await store.imageUpdates.rollBack({ ...move, to: pin, former }, { [tiny.name]: id })).toBe(true);
    nowMs += 2 * 3_600_000;
    for (const node of [maker, other]) await node.round();
    expect([await maker.has(), await other.has()]).toEqual([[id], [id]]);
    // As once another image has taken the place of the one before.
    expect(await store.imageUpdates.rollBack({ ...move, to: pin, former }, {})).toBe(true);
    await store.promotions.promote(tiny.name, 'e'.repeat(16));
    for (const node of [maker, other]) await node.round();
    expect([await maker.has(), await other.has()]).toEqual([[id], [id]]);
    nowMs += 8 * DAY_MS;
    for (const node of [maker, other]) await node.round();
    expect([await maker.has(), await other.has()]).toEqual([[], []]);
  });

  it('of which a kill left the archive alone is gone after an hour, unless it is promoted', async () => {
    const lone = async (content: string): Promise<string> => {
      const { id } = await maker.files.added({}, asPodmanExports(Buffer.from(content)));
      await rm(maker.files.at(tiny.name, `${id}.json`));
      return id;
    };
    const [left, wanted] = [await lone('left'), await lone('wanted')];
    await store.promotions.promote(tiny.name, wanted);
    await maker.round();
    expect((await maker.has()).sort()).toEqual([left, wanted].sort());
    nowMs += 2 * 3_600_000;
    await maker.round();
    expect(await maker.has()).toEqual([wanted]);
  });

  it('is no more where it was left, when who left it was killed before it said so', async () => {
    await mkdir(shared, { recursive: true });
    await writeFile(join(shared, `${'d'.repeat(16)}.tar`), 'memory');
    await maker.round();
    expect(await readdir(shared)).toEqual([]);
  });

  it('makes room for itself where the one before it and what kills left take all there is', async () => {
    await promoted();
    await other.round();
    await maker.round();
    const half = join(shared, `.${'0'.repeat(16)}`);
    await writeFile(half, 'half');
    const longAgo = Date.now() / 1_000 - 7_200;
    await utimes(half, longAgo, longAgo);
    const small = sharedFolder(shared);
    const put: CheckpointShare['put'] = async (...args) => {
      if ((await readdir(shared)).length > 0) throw new TryItNowError('checkpoint_share_unavailable', 'It is full');
      return small.put(...args);
    };
    const share: CheckpointShare = {
      name: small.name,
      put,
      list: () => small.list(),
      fetch: (...args) => small.fetch(...args),
      remove: (id) => small.remove(id),
      tidy: () => small.tidy(),
    };
    const again = await nodeOf('node2', tiny, share);
    const content = asPodmanExports(Buffer.from('second'));
    const { id } = await again.files.added({ template: tiny.name, templateVersion: templateVersion(tiny) }, content);
    await store.promotions.promote(tiny.name, id);
    await again.round();
    expect(await readdir(shared)).toEqual([`${id}.tar`]);
  });

  it.each([
    ['something else', () => asPodmanExports(Buffer.from('what somebody put there'))],
    ['half of it', () => asPodmanExports().subarray(0, 300_000)],
    ['no archive at all', () => Buffer.from('garbled')],
    ['nothing', () => Buffer.alloc(0)],
  ])('is not kept when %s comes in its place, and comes when it is left again', async (_, instead) => {
    const id = await promoted();
    await other.round();
    await maker.round();
    await writeFile(join(shared, `${id}.tar`), instead());
    await other.round();
    expect(other.arrival).toMatchObject({
      state: 'refused',
      detail: expect.stringMatching(/^What came for checkpoint \w+ has the SHA-256 \w+, and \w+ was offered/) as string,
    });
    expect(await other.has()).toEqual([]);
    expect(await openTrialRepository({ dir: other.files.dir, log: silent }).list()).toEqual([]);
    expect(other.checkpointing.restored).toEqual([]);
    expect(await other.carried()).toEqual(['fetched failure 1']);

    await maker.round();
    await other.round();
    expect(other.arrival?.state).toBe('refused');
    nowMs += 60_000;
    await other.round();
    expect(other.arrival?.state).toBe('here');
  });

  it('is neither fetched nor replaced where what operators decide differs', async () => {
    const id = await promoted();
    const foreign = await nodeOf('node2', { ...tiny, env: { MODE: 'other' } });
    other.checkpointing.imageId = 'sha256:2e';
    for (const node of [foreign, other, maker, foreign, other]) await node.round();
    for (const [node, what] of [
      [foreign, /^it was made for version of the template \w+ \(here \w+\)$/],
      [other, /^it was made for image sha256:1f \(here sha256:2e\)$/],
    ] as const) {
      expect(node.arrival).toEqual({
        checkpoint: id,
        state: 'refused',
        detail: expect.stringMatching(what) as string,
      });
      expect(await node.has()).toEqual([]);
    }
  });
});

describe('a node of another kind', () => {
  it('makes a checkpoint of its own, and has it as long as the promoted one is wanted', async () => {
    other.checkpointing.kernel = '6.1.0';
    const id = await promoted();
    for (const node of [other, maker, other]) await node.round();
    const [own = ''] = await other.has();
    expect(other.arrival).toEqual({ checkpoint: id, state: 'own', detail: own });
    expect(own).not.toBe(id);
    expect(await other.restores(other.restorer(), id)).toBe(own);
    const { checkpointRepository } = other.files;
    const { promotions, imageUpdates: updates } = store;
    const catalogue = new Catalogue([tiny]);
    expect(await prunable({ catalogue, checkpointRepository, promotions, updates }, 0)).toEqual([]);
    await other.round();
    expect(await other.has()).toEqual([own]);

    await store.promotions.rollback(tiny.name);
    await other.round();
    expect(other.arrival).toBeUndefined();
    await store.promotions.promote(tiny.name, 'e'.repeat(16));
    await other.round();
    nowMs += 8 * DAY_MS;
    await other.round();
    expect(await other.has()).toEqual([]);
  });

  it('keeps the newest of its own where a kernel has taken the place of another', async () => {
    other.checkpointing.kernel = '6.1.0';
    const id = await promoted();
    for (const node of [other, maker, other]) await node.round();
    const [first = ''] = await other.has();
    const byHand = (await other.files.added({}, asPodmanExports(Buffer.from('by hand')))).id;
    for (const kernel of ['6.1.1', '6.1.2']) {
      other.checkpointing.kernel = kernel;
      await other.round();
    }
    const own = other.arrival?.detail ?? '';
    expect(other.arrival).toEqual({ checkpoint: id, state: 'own', detail: own });
    expect(own).not.toBe(first);
    expect((await other.has()).sort()).toEqual([own, byHand].sort());
    expect(await other.restores(other.restorer(), id)).toBe(own);
  });

  it('is one where the promoted checkpoint does not restore, too', async () => {
    const id = await promoted();
    other.checkpointing.broken.add(id);
    for (const node of [other, maker, other]) await node.round();
    expect(other.arrival?.state).toBe('own');
    expect(await other.has()).toEqual([other.arrival?.detail]);
    expect(await other.carried()).toEqual(['fetched failure 1', 'made success 1']);
    expect(await store.promotions.status(tiny.name)).toMatchObject({ current: id, failures: 0 });
  });

  it('makes another in place of one that keeps failing, which says nothing against the promoted one', async () => {
    other.checkpointing.kernel = '6.1.0';
    const id = await promoted();
    for (const node of [other, maker, other]) await node.round();
    const [own = ''] = await other.has();
    const restorer = other.restorer();
    other.checkpointing.broken.add(own);
    for (let time = 0; time < 2; time += 1) await other.restores(restorer, id);
    expect(await other.has()).toEqual([own]);
    await other.restores(restorer, id);
    expect(await other.has()).toEqual([]);
    expect(await store.promotions.status(tiny.name)).toMatchObject({ current: id, failures: 0, proven: false });
    await other.round();
    const [another = ''] = await other.has();
    expect(another).not.toBe(own);
    expect(await other.restores(restorer, id)).toBe(another);
  });
});

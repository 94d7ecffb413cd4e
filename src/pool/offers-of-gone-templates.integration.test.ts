import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CarryingNode, carryingNode, tiny } from '../../test/support/carrying-node.ts';
import { RepositoryInFolder, asPodmanExports } from '../../test/support/checkpoint-files.ts';
import { silent, startStore, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { sharedFolder } from '../checkpoints/shared-folder.ts';
import { templateVersion } from '../domain/template.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { keys } from '../store/keys.ts';
import { rollbackCheckpoint } from './checkpoints.ts';

const DAY_MS = 24 * 3_600_000;

describe('the copy of a template that nobody offers', () => {
  const another = template({ name: 'another' });
  let releasers: Releasers;
  let store: TestStore;
  let shared: string;
  let maker: CarryingNode;
  let other: CarryingNode;
  let nowMs: number;
  let id: string;

  const nodeOf = (name: string, app = tiny): Promise<CarryingNode> =>
    carryingNode(name, { releasers, store, app, share: sharedFolder(shared), now: () => nowMs });

  /** It has come to the other node, and nobody has offered the template since. */
  beforeEach(async () => {
    releasers = new Releasers();
    nowMs = Date.now();
    store = await startStore();
    releasers.push('store', () => store[Symbol.asyncDispose]());
    const share = await RepositoryInFolder.make();
    releasers.push('share', () => share[Symbol.asyncDispose]());
    shared = share.home;
    [maker, other] = [await nodeOf('node0'), await nodeOf('node1')];
    const about = { template: tiny.name, templateVersion: templateVersion(tiny) };
    ({ id } = await maker.files.added(about, asPodmanExports()));
    await store.promotions.promote(tiny.name, id);
    for (const node of [other, maker, other]) await node.round();
    expect(await copies()).toEqual([id]);
    for (const { catalogue } of [maker, other]) catalogue.replace([another]);
  });

  afterEach(() => releasers.releaseAll(silent));

  const copies = async (): Promise<string[]> => [...(await sharedFolder(shared).list()).keys()];

  async function rounds(after: 'peace' | 'an outage' = 'peace'): Promise<void> {
    for (const node of [maker, other]) await node.beat();
    if (after === 'an outage') await store.valkey.hset(keys.processes, 'back_ms', Date.now());
    // A machine that was slow had none.
    else await store.valkey.hdel(keys.processes, 'back_ms');
    for (const node of [maker, other]) await node.round();
  }

  async function aDayLater(): Promise<void> {
    await rounds();
    nowMs += DAY_MS;
    await rounds();
  }

  it('goes after a day, and is there again when somebody offers it', async () => {
    await rounds();
    nowMs += DAY_MS - 1;
    await rounds();
    expect(await copies()).toEqual([id]);
    nowMs += 1;
    await rounds();
    expect([await copies(), await maker.has(), await other.has()]).toEqual([[], [id], [id]]);
    const late = await nodeOf('node2');
    for (const { catalogue } of [maker, other]) catalogue.replace([tiny]);
    for (const node of [late, maker, late]) await node.round();
    expect([await copies(), late.arrival?.state]).toEqual([[id], 'here']);
  });

  it('is there again when only a host offers it that does not have it', async () => {
    await aDayLater();
    expect(await copies()).toEqual([]);
    const late = await nodeOf('node2');
    await late.round();
    expect(late.arrival?.detail).toBe('no node that has it has left it for others yet');
    await maker.round();
    expect(await copies()).toEqual([id]);
    await late.round();
    expect(late.arrival?.state).toBe('here');
  });

  it('is said to be nowhere once the nodes are gone that had it', async () => {
    await aDayLater();
    for (const { files } of [maker, other]) await files.checkpointRepository.remove(id);
    await rounds();
    const late = await nodeOf('node2');
    await late.round();
    expect(late.arrival).toMatchObject({
      state: 'waiting',
      detail: expect.stringMatching(/^no node that runs has it: .*checkpoint create \S+ --promote/) as string,
    });
  });

  it('stays while a process offers it that runs elsewhere, or may run', async () => {
    const elsewhere = await nodeOf('node2', template({ ...tiny, nodes: ['other'] }));
    await elsewhere.beat();
    await aDayLater();
    expect(await copies()).toEqual([id]);
    // It is seen for a day from there on.
    await elsewhere.store.processes.leave();
    await rounds();
    expect(await copies()).toEqual([id]);
    nowMs += DAY_MS;
    await rounds('an outage');
    expect(await copies()).toEqual([id]);
    await rounds();
    expect(await copies()).toEqual([]);
  });

  it('goes at once where an operator goes back from it', async () => {
    const rollback = () => rollbackCheckpoint({ catalogue: maker.catalogue, promotions: store.promotions }, tiny.name);
    expect(await rollback()).toEqual({ from: id, to: undefined });
    await rounds();
    expect([await copies(), await maker.has()]).toEqual([[], [id]]);
    await expect(rollback()).rejects.toMatchObject({ code: 'unknown_template' });
  });

  it('stays where no node has it that could leave it again', async () => {
    for (const { files } of [maker, other]) await files.checkpointRepository.remove(id);
    await aDayLater();
    expect(await copies()).toEqual([id]);
  });
});

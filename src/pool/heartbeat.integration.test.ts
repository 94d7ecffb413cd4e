import { rename, rm, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { RepositoryInFolder } from '../../test/support/checkpoint-files.ts';
import { LogBook } from '../../test/support/queue.ts';
import { startStore, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import { Catalogue } from '../domain/template.ts';
import { CheckpointsHere } from './checkpoints-here.ts';
import { beat } from './heartbeat.ts';
import type { CheckpointRepository } from './interfaces/checkpoint-repository.ts';
import { OwnName } from './own-name.ts';

const tiny = template();

let store: TestStore;
let files: RepositoryInFolder;
let log: LogBook;
beforeEach(async () => {
  store = await startStore();
  files = await RepositoryInFolder.make();
  log = new LogBook();
});
afterEach(async () => {
  await files[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
});

function nodeWith(repository: Pick<CheckpointRepository, 'list'>, lookMs?: number): () => Promise<void> {
  const node = { name: 'node0', address: '127.0.0.1', labels: [], proxies: [], capacity: undefined };
  const deps = {
    ...{ registry: store.registry, catalogue: new Catalogue([tiny]), log },
    runtime: { engine: 'simulated' as const },
    engineVersion: () => undefined,
    fitness: { whyNot: () => '' },
    consumption: undefined,
    storageReserve: { low: false, room: undefined },
    checkpoints: new CheckpointsHere(repository, log, lookMs),
    carrier: undefined,
    leads: { held: true },
    node,
    queueAnswers: () => Promise.resolve(true),
    requestReconcile: () => undefined,
    ...{ portRange: { start: 20_000, end: 20_010 }, program: 'test' },
    ownName: new OwnName({ ...{ registry: store.registry, log, boot: undefined }, node, host: 'test' }),
  };
  return () => beat(deps);
}

const named = async () => (await store.registry.node('node0'))?.heartbeat?.checkpoints;

it('goes on while the folder of checkpoints cannot be read, without naming any, and says so once', async () => {
  const { id } = await files.added();
  const beats = nodeWith(files.checkpointRepository);
  await beats();
  expect(await named()).toEqual([id]);

  await rename(files.dir, `${files.dir}-aside`);
  await writeFile(files.dir, 'no folder');
  for (let beaten = 0; beaten < 3; beaten += 1) await beats();
  expect(await named()).toEqual([]);
  expect(log.with('cannot be read').map(({ level, fields }) => [level, fields['reason']])).toEqual([
    ['error', expect.stringContaining(files.dir)],
  ]);

  await rm(files.dir);
  await rename(`${files.dir}-aside`, files.dir);
  for (let beaten = 0; beaten < 2; beaten += 1) await beats();
  expect(await named()).toEqual([id]);
  expect(log.with('can be read again')).toHaveLength(1);
});

it('goes on once somebody has removed the folder of checkpoints, which is made again', async () => {
  await files.added();
  const beats = nodeWith(files.checkpointRepository);
  await beats();
  await rm(files.dir, { recursive: true });
  await beats();
  expect(await named()).toEqual([]);
  const { id } = await files.added();
  await beats();
  expect(await named()).toEqual([id]);
  expect(log.lines).toEqual([]);
});

it('waits for no disk that does not answer, and asks it one thing at a time', async () => {
  let asked = 0;
  const list = (): Promise<never> => {
    asked += 1;
    return new Promise(() => undefined);
  };
  const beats = nodeWith({ list }, 20);
  for (let beaten = 0; beaten < 3; beaten += 1) await beats();
  expect(await named()).toEqual([]);
  expect(asked).toBe(1);
  expect(log.with('cannot be read')).toHaveLength(1);
});

import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { RepositoryInFolder } from '../../test/support/checkpoint-files.ts';
import { silent, startStore, type TestStore } from '../../test/support/store.ts';
import { HOUR_MS, ImageProcess, NAME, app, image, world } from '../../test/support/image-updating.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { openStore } from '../store/store.ts';
import { prunable } from './checkpoints.ts';
import { checkImage, rollBackImage } from './operate-images.ts';
import { removeUnused } from './remove-unused-checkpoints.ts';

let releasers: Releasers;
let store: TestStore;

const [OLD, NEW, NEWER] = [image(1), image(2), image(3)];
const onGpu = { ...app, name: 'on-gpu', nodes: ['gpu'] };
const onEu = { ...app, name: 'on-eu', nodes: ['eu'] };
const says = (text: string) => [{ path: '/', statuses: undefined, text }];

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

/** A process that has looked at nothing so far, on a host that has the old image. */
async function host(label: string, templates = [onGpu, onEu]): Promise<ImageProcess> {
  const ofNode = await openStore({
    valkey: { ...store.address, password: undefined },
    node: { name: `host-${label}`, address: '127.0.0.1' },
    limits: { hourly: 0, daily: 0 },
    portRange: store.portRange,
    portCoolDownMs: 200,
    log: silent,
  });
  releasers.push('store of a node', () => ofNode.close());
  const files = await RepositoryInFolder.make();
  releasers.push('files', () => files[Symbol.asyncDispose]());
  const made = new ImageProcess(ofNode, files, { templates, node: `host-${label}`, labels: [label] });
  releasers.push('engine', () => made.engine.close());
  made.engine.local.set(NAME, OLD);
  return made;
}

/** Both have had a look at the old one; the registry has a new one, which the first host tries. */
async function halfWay(templates = [onGpu, onEu]): Promise<{ readonly gpu: ImageProcess; readonly eu: ImageProcess }> {
  const [gpu, eu] = [await host('gpu', templates), await host('eu', templates)];
  await gpu.round();
  world.registry = NEW;
  world.nowMs += HOUR_MS;
  await gpu.round();
  return { gpu, eu };
}

const tried = ({ engine }: ImageProcess): readonly string[] =>
  engine.started.map(({ template: { name, image: id } }) => `${name} ${id}`);

it('goes to visitors once each host has tried it with the templates that it may have', async () => {
  const { gpu, eu } = await halfWay();
  expect([await gpu.serves(), tried(gpu)]).toEqual([OLD.id, [`on-gpu ${NEW.id}`]]);
  const { state, tried: step } = await gpu.shown();
  expect([state, step?.step]).toEqual([
    'trying',
    'it has passed with on-gpu, and waits for a host that may try it with on-eu',
  ]);
  await eu.round();
  expect([await eu.serves(), tried(eu), await eu.trials()]).toEqual([NEW.id, [`on-eu ${NEW.id}`], ['adopted 1']]);
  expect(await eu.shown()).toMatchObject({ state: 'current', passed: undefined, tried: undefined });
  await gpu.round();
  expect([tried(gpu).length, gpu.told.length, eu.told.length]).toEqual([1, 0, 1]);
});

it('is refused where one of them fails, and reaches nobody', async () => {
  const { gpu, eu } = await halfWay([onGpu, { ...onEu, smoke: says('what no app says') }]);
  await eu.round();
  expect(await gpu.shown()).toMatchObject({
    state: 'refused',
    pin: OLD,
    passed: undefined,
    refused: { id: NEW.id, reason: expect.stringMatching(/^Template on-eu: .*what no app says/) as string },
  });
  world.nowMs += HOUR_MS;
  await gpu.round();
  expect([await gpu.serves(), tried(gpu).length]).toEqual([OLD.id, 1]);
});

it('has what somebody asks for be under way until the last host has tried it', async () => {
  const [gpu, eu] = [await host('gpu'), await host('eu')];
  await gpu.round();
  world.registry = NEW;
  await checkImage(gpu.operators, NAME);
  for (let rounds = 0; rounds < 3; rounds += 1) await gpu.round();
  expect([gpu.engine.fetched, tried(gpu).length, (await gpu.shown()).state]).toEqual([2, 1, 'trying']);
  // Once more, and what passed is not tried again for it.
  world.nowMs += 1;
  await checkImage(gpu.operators, NAME);
  for (let rounds = 0; rounds < 3; rounds += 1) await gpu.round();
  expect([gpu.engine.fetched, tried(gpu).length]).toEqual([3, 1]);
  await eu.round();
  expect(await gpu.shown()).toMatchObject({ state: 'current', pin: NEW, asked: undefined });
});

it('gives way to a newer one, which every host tries', async () => {
  const { gpu, eu } = await halfWay();
  world.registry = NEWER;
  await eu.round();
  expect([await eu.serves(), tried(eu)]).toEqual([OLD.id, [`on-eu ${NEWER.id}`]]);
  const again = await host('gpu');
  await again.round();
  expect([await eu.serves(), tried(again), tried(gpu)]).toEqual([
    NEWER.id,
    [`on-gpu ${NEWER.id}`],
    [`on-gpu ${NEW.id}`],
  ]);
});

it('is tried once more with a template that has changed since', async () => {
  const { eu } = await halfWay();
  const changed = [{ ...onGpu, env: { CHANGED: '1' }, smoke: says('what no app says') }, onEu];
  const euToo = await host('eu', changed);
  await euToo.round();
  expect([await eu.serves(), tried(euToo)]).toEqual([OLD.id, [`on-eu ${NEW.id}`]]);
  await (await host('gpu', changed)).round();
  expect(await eu.shown()).toMatchObject({ state: 'refused', pin: OLD });
});

it('brings the checkpoints that all hosts made of it', async () => {
  for (const name of ['on-gpu', 'on-eu']) await store.promotions.promote(name, 'b'.repeat(16));
  const { gpu, eu } = await halfWay();
  const [ofGpu = ''] = await gpu.checkpoints();
  // The other host comes long after the time that a checkpoint has which nobody takes up.
  world.nowMs += 12 * HOUR_MS;
  const { checkpointRepository } = gpu.files;
  const { promotions, imageUpdates: updates } = store;
  const clock = { now: () => world.nowMs };
  const deps = { catalogue: gpu.operators.catalogue, checkpointRepository, promotions, updates, clock, log: silent };
  for (let rounds = 0; rounds < 2; rounds += 1) await removeUnused(deps);
  expect([await gpu.checkpoints(), await prunable(deps, 0)]).toEqual([[ofGpu], []]);
  await eu.round();
  const [ofEu = ''] = await eu.checkpoints();
  expect(await promotions.status('on-gpu')).toMatchObject({ current: ofGpu });
  expect(await promotions.status('on-eu')).toMatchObject({ current: ofEu });
  await rollBackImage(eu.operators, NAME);
  expect(await promotions.status('on-gpu')).toMatchObject({ current: 'b'.repeat(16) });
});

it('waits for a registry that does not answer the other host, and goes on by itself', async () => {
  const { gpu, eu } = await halfWay();
  world.registry = new Error('no route to it');
  await eu.round();
  expect(await gpu.shown()).toMatchObject({ state: 'current', pin: OLD, checked: { problem: {} } });
  world.registry = NEW;
  world.nowMs += HOUR_MS;
  await eu.round();
  expect([await eu.serves(), tried(eu).length, tried(gpu).length]).toEqual([NEW.id, 1, 1]);
});

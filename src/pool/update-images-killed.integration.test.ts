import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { RepositoryInFolder } from '../../test/support/checkpoint-files.ts';
import { HOUR_MS, ImageProcess, NAME, app, image, world } from '../../test/support/image-updating.ts';
import { silent, startStore, type TestStore } from '../../test/support/store.ts';
import type { StreamEvent } from '../domain/visit-event.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { publishEvents } from './publish-events.ts';

const HELD = 'a'.repeat(16);
const [OLD, NEW] = [image(1), image(2)];
let releasers: Releasers;
let store: TestStore;

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

async function folder(): Promise<RepositoryInFolder> {
  const files = await RepositoryInFolder.make();
  releasers.push('files', () => files[Symbol.asyncDispose]());
  return files;
}

it.each<[string, (server: ImageProcess, dies: () => Promise<never>) => void]>([
  ['its container starts', ({ engine }, dies) => void (engine.meanwhile = dies)],
  ['the checkpoint is dumped', ({ checkpointing }, dies) => void (checkpointing.dump = dies)],
  ['the checkpoint is restored', ({ checkpointing }, dies) => void (checkpointing.restore = dies)],
  [
    'another template of the image is tried',
    ({ engine, checkpointing: { restored } }, dies) =>
      void (engine.meanwhile = () => (restored.length > 1 ? dies() : Promise.resolve())),
  ],
])('a trial has nothing left of one that was killed as %s', async (_, fate) => {
  const templates = [app, { ...app, name: 'second' }];
  const server = new ImageProcess(store, await folder(), { templates });
  releasers.push('engine', () => server.engine.close());
  server.engine.local.set(NAME, OLD);
  await server.round();
  await store.promotions.promote('tiny', HELD);
  // It does nothing more from here on, not even what would remove anything.
  const over = new AbortController();
  const died = new Promise<void>((resolve) => {
    fate(server, () => {
      resolve();
      return new Promise<never>((_resolve, reject) =>
        over.signal.addEventListener('abort', () => reject(new Error('the test is over'))),
      );
    });
  });
  world.registry = NEW;
  world.nowMs += HOUR_MS;
  const killed = server.round().catch(() => undefined);
  releasers.push('the one that was killed', () => {
    over.abort();
    return killed;
  });
  await died;
  const restarted = new ImageProcess(store, server.files, { templates });
  releasers.push('engine', () => restarted.engine.close());
  restarted.engine.local.set(NAME, NEW);
  await restarted.round();
  const { current } = await store.promotions.status('tiny');
  expect([await restarted.serves(), await restarted.checkpoints()]).toEqual([NEW.id, [current]]);
});

describe('what a webhook is told of an image', () => {
  /** By a process of the fleet that has tried nothing itself. */
  async function published(): Promise<readonly StreamEvent[]> {
    const events: StreamEvent[] = [];
    const eventStream = { publish: (event: StreamEvent) => Promise.resolve(void events.push(event)) };
    const eventObserver = { published: () => undefined, unreadable: () => undefined };
    const { outbox } = store;
    await publishEvents(
      { outbox, eventStream, eventObserver, outboxLimit: 100, log: silent },
      new AbortController().signal,
    );
    return events;
  }

  async function trial(found: typeof NEW): Promise<ImageProcess> {
    const server = new ImageProcess(store, await folder());
    releasers.push('engine', () => server.engine.close());
    server.engine.local.set(NAME, OLD);
    await server.round();
    world.registry = found;
    world.nowMs += HOUR_MS;
    return server;
  }

  it.each([
    ['passed', undefined, 'image_adopted', {}],
    [
      'failed',
      { SIMULATED_EXIT_CODE: '3' },
      'image_refused',
      { reason: expect.stringContaining('exit code 3') as string },
    ],
  ])('is kept, once, although the process that tried it ended as it had %s', async (_, fault, type, more) => {
    await store.outbox.limit(100);
    const found = image(4, fault);
    const server = await trial(found);
    await server.round();
    const data = { image: NAME, ...found, node: 'node0', ...more };
    const id = expect.stringMatching(/^evt_\d+-\d+$/) as string;
    expect(await published()).toEqual([{ v: 1, id, atMs: world.nowMs, type, data }]);
    await server.round();
    expect(await published()).toEqual([]);
  });

  it('is nothing where nobody wants to hear of it', async () => {
    const server = await trial(NEW);
    await server.round();
    expect([await server.serves(), await published()]).toEqual([NEW.id, []]);
  });
});

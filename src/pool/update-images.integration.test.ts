import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { RepositoryInFolder } from '../../test/support/checkpoint-files.ts';
import { silent, startStore, type TestStore } from '../../test/support/store.ts';
import { HOUR_MS, ImageProcess, NAME, app, image, world } from '../../test/support/image-updating.ts';
import { readiness, service } from '../../test/support/templates.ts';
import { TryItNowError } from '../domain/errors.ts';
import { offeredPreviews } from '../domain/preview.ts';
import { freePort } from '../launcher/tcp-ports.ts';
import { Releasers } from '../lifecycle/releasers.ts';
import { openStore, type Store } from '../store/store.ts';
import type { ContainerSpec } from './interfaces/container-runtime.ts';
import { checkImage, rollBackImage } from './operate-images.ts';

const never = new AbortController().signal;
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
  await store.outbox.limit(100);
  world.nowMs = Date.parse('2026-01-02T03:04:05Z');
  world.registry = OLD;
  world.faults.clear();
});
afterEach(() => releasers.releaseAll(silent));

async function process(
  options: ConstructorParameters<typeof ImageProcess>[2] = {},
  ofNode: Store = store,
): Promise<ImageProcess> {
  const files = await RepositoryInFolder.make();
  releasers.push('files', () => files[Symbol.asyncDispose]());
  const made = new ImageProcess(ofNode, files, options);
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

describe('a new image', () => {
  it('goes to visitors once a container that nobody is handed has passed, and not before', async () => {
    const server = await settled();
    world.registry = NEW;
    await server.round();
    // It is not time yet.
    expect([server.engine.fetched, server.engine.started.length]).toEqual([1, 0]);
    anHourLater();
    const during: unknown[] = [];
    server.engine.meanwhile = async () => during.push(await server.serves(), (await server.shown()).state);
    await server.round();
    expect(during).toEqual([OLD.id, 'trying']);
    expect(server.engine.started.map(({ instanceId, template: { image: id } }) => [instanceId, id])).toEqual([
      [undefined, NEW.id],
    ]);
    expect(await server.shown()).toMatchObject({
      state: 'current',
      pin: { ...NEW, node: 'node0' },
      former: { pin: OLD, untilMs: world.nowMs },
      tried: undefined,
      refused: undefined,
    });
    expect([await server.left(), await server.trials(), server.reconciles]).toEqual([[], ['adopted 1'], 1]);
    expect(await server.told()).toEqual([
      { v: 1, kind: 'image_adopted', atMs: world.nowMs, data: { image: NAME, ...NEW, node: 'node0' } },
    ]);
    await server.round();
    expect(server.engine.started).toHaveLength(1);
  });

  it('is tried also where it came under the name by hand, and there alone', async () => {
    const server = await settled({ templates: [{ ...app, pull: 'never' }] });
    server.engine.local.set(NAME, NEW);
    const again = await process({ templates: [{ ...app, pull: 'never' }] });
    again.engine.local.set(NAME, NEW);
    await again.round();
    expect([await again.serves(), again.engine.fetched]).toEqual([NEW.id, 0]);
    // On another node the name still leads to the old one, which is no news.
    const other = await node('node1', { templates: [{ ...app, pull: 'never' }] });
    other.engine.local.set(NAME, OLD);
    await other.round();
    await other.round();
    expect([await other.serves(), other.engine.started]).toEqual([NEW.id, []]);
  });

  it.each([
    ['ends at once', { SIMULATED_EXIT_CODE: '3' }, /exit code 3/],
    ['answers 500', { SIMULATED_STATUS: '500' }, /500/],
    ['is never up', { SIMULATED_START_UP_MS: '60000' }, /503/],
  ])('that %s reaches nobody, and that is said', async (_, fault, reason) => {
    const server = await settled({ templates: [{ ...app, readiness: readiness('/', 700) }] });
    world.registry = image(4, fault);
    anHourLater();
    await server.round();
    expect(await server.shown()).toMatchObject({
      state: 'refused',
      pin: OLD,
      refused: { id: world.registry.id, why: 'failed', node: 'node0', reason: expect.stringMatching(reason) as string },
      tried: undefined,
    });
    expect(server.log.with('A new image is refused')).toHaveLength(1);
    expect(await server.told()).toMatchObject([
      { kind: 'image_refused', data: { reason: expect.stringMatching(reason) as string } },
    ]);
    expect([await server.left(), await server.trials()]).toEqual([[], ['refused 1']]);
    // One failure may have been the host's.
    expect(server.engine.started).toHaveLength(2);
  });

  it('that does not answer as a smoke step wants reaches nobody', async () => {
    const steps = [{ path: '/welcome', statuses: undefined, text: 'something that no simulated app says' }];
    const server = await settled({ templates: [{ ...app, smoke: steps }] });
    world.registry = NEW;
    anHourLater();
    await server.round();
    expect(await server.shown()).toMatchObject({
      pin: OLD,
      refused: { id: NEW.id, reason: expect.stringMatching(/smoke step \/welcome .*something that no/) as string },
    });
    // The same app passes when asked for what it says.
    const passing = [{ path: '/', statuses: [{ from: 200, to: 200 }], text: 'stands in for the app' }];
    const fixed = await process({ templates: [{ ...app, smoke: passing }] });
    await checkImage(fixed.operators, 'tiny');
    await fixed.round();
    expect(await fixed.serves()).toBe(NEW.id);
  });

  it('that was refused goes to visitors with `off`, and one that an operator went back from does not', async () => {
    const steps = [{ path: '/welcome', statuses: undefined, text: 'something that no simulated app says' }];
    const server = await settled({ templates: [{ ...app, smoke: steps }] });
    world.registry = NEW;
    anHourLater();
    await server.round();
    expect(await server.shown()).toMatchObject({ pin: OLD, refused: { id: NEW.id } });
    // Restarted, on the same host.
    const off = await process({ templates: [{ ...app, imageCheck: undefined }] });
    off.engine.local.set(NAME, NEW);
    await off.round();
    expect(await off.shown()).toMatchObject({ state: 'unchecked', pin: NEW, refused: undefined });
    // On another host it leads to another one still, which is no news.
    const other = await node('node1', { templates: [{ ...app, imageCheck: undefined }] });
    other.engine.local.set(NAME, OLD);
    await other.round();
    expect(await other.serves()).toBe(NEW.id);
    world.registry = NEWER;
    const checked = await process();
    checked.engine.local.set(NAME, NEW);
    await checkImage(checked.operators, 'tiny');
    await checked.round();
    expect(await checked.serves()).toBe(NEWER.id);
    await rollBackImage(checked.operators, 'tiny');
    off.engine.local.set(NAME, NEWER);
    await off.round();
    expect(await off.shown()).toMatchObject({ pin: NEW, refused: { id: NEWER.id, why: 'rolled_back' } });
  });

  it('that was refused is not tried again after a rollback, either', async () => {
    const server = await settled();
    world.registry = NEW;
    anHourLater();
    await server.round();
    world.registry = image(7, { SIMULATED_EXIT_CODE: '1' });
    anHourLater();
    await server.round();
    const started = server.engine.started.length;
    await rollBackImage(server.operators, 'tiny');
    anHourLater();
    await server.round();
    expect([server.engine.started.length, await server.serves()]).toEqual([started, OLD.id]);
  });

  it('that was refused is tried again when somebody says so, or the name leads to another', async () => {
    const server = await settled();
    const bad = image(5, { SIMULATED_EXIT_CODE: '1' });
    world.registry = bad;
    anHourLater();
    await server.round();
    expect(server.engine.started).toHaveLength(2);
    anHourLater();
    await server.round();
    const restarted = await process();
    restarted.engine.local.set(NAME, bad);
    await restarted.round();
    expect([server.engine.started.length, restarted.engine.started.length]).toEqual([2, 0]);
    await checkImage(server.operators, NAME);
    expect((await server.shown()).state).toBe('asked');
    await server.round();
    expect([server.engine.started.length, (await server.shown()).state]).toEqual([4, 'refused']);
    // Fixed without a change of what it is, as by what it calls.
    world.faults.clear();
    await checkImage(server.operators, NAME);
    await server.round();
    expect(await server.shown()).toMatchObject({ state: 'current', pin: bad, refused: undefined });
  });

  it('that was refused is forgotten once the name leads back', async () => {
    const server = await settled();
    world.registry = image(6, { SIMULATED_EXIT_CODE: '1' });
    anHourLater();
    await server.round();
    world.registry = OLD;
    anHourLater();
    await server.round();
    expect(await server.shown()).toMatchObject({ state: 'current', pin: OLD, refused: undefined });
  });

  it('cannot be found while its registry is gone: nothing changes, and that is said once', async () => {
    const server = await settled();
    world.registry = new Error('connection refused');
    const sinceMs = (world.nowMs += HOUR_MS);
    for (let hours = 0; hours < 3; hours += 1) {
      await server.round();
      anHourLater();
    }
    expect(await server.shown()).toMatchObject({
      state: 'current',
      pin: OLD,
      checked: { problem: { reason: 'connection refused', sinceMs } },
    });
    expect(server.log.lines.filter(({ level }) => level === 'warn' || level === 'error')).toHaveLength(1);
    world.registry = NEW;
    await server.round();
    expect(await server.shown()).toMatchObject({ pin: NEW, checked: { atMs: world.nowMs } });
    expect((await server.shown()).checked?.problem).toBeUndefined();
  });

  it('that something else keeps from being tried is no worse for it, and is tried later', async () => {
    const server = await settled();
    world.registry = NEW;
    anHourLater();
    server.engine.meanwhile = () => Promise.reject(new Error('the engine has a bad day'));
    await server.round();
    expect(await server.shown()).toMatchObject({ state: 'current', pin: OLD, refused: undefined });
    expect(await server.trials()).toEqual(['untried 1']);
    server.engine.meanwhile = undefined;
    anHourLater();
    await server.round();
    expect(await server.serves()).toBe(NEW.id);
    expect((await server.shown()).checked?.problem).toBeUndefined();
  });
});

describe('an image that a preview has a service of', () => {
  const rules = { images: ['registry.example.org/shop:pr-*'], max: 2, maxAgeMs: HOUR_MS, pool: { target: 1, max: 2 } };
  const shop = { ...app, image: 'registry.example.org/shop:1', services: [service(NAME)], previews: rules };
  const preview = { v: 1, name: 'shop-pr-1', from: app.name, image: 'registry.example.org/shop:pr-1' } as const;
  const times = { createdAtMs: 0, putAtMs: 0, endsAtMs: Number.MAX_SAFE_INTEGER };

  it.each([
    ['does not come up', { SIMULATED_EXIT_CODE: '3' }],
    ['cannot be had', new TryItNowError('image_missing', 'the engine does not have it')],
  ])('goes to visitors of its template although the preview %s', async (_, fault) => {
    const { templates: copies } = offeredPreviews([shop], [{ ...preview, ...times }]);
    const server = await settled({ templates: [shop, ...copies] });
    if (fault instanceof TryItNowError)
      server.engine.meanwhile = () =>
        server.engine.started.at(-1)?.template.image === preview.image ? Promise.reject(fault) : Promise.resolve();
    else world.faults.set(preview.image, fault);
    world.registry = NEW;
    anHourLater();
    await server.round();
    expect(server.engine.started.map(({ template: { image: tried } }) => tried)).toEqual([shop.image]);
    expect(await server.shown()).toMatchObject({ state: 'current', pin: NEW, templates: ['tiny', preview.name] });
  });
});

it('that was refused and is asked for is tried until it could be, however often something else keeps it', async () => {
  const server = await settled();
  const bad = image(8, { SIMULATED_EXIT_CODE: '1' });
  world.registry = bad;
  anHourLater();
  await server.round();
  expect((await server.shown()).state).toBe('refused');
  world.faults.clear();
  const started = (): number => server.engine.started.length;
  server.engine.meanwhile = () => Promise.reject(new TryItNowError('engine_unavailable', 'the engine has a bad day'));
  await checkImage(server.operators, NAME);
  await server.round();
  expect(await server.shown()).toMatchObject({ state: 'asked', pin: OLD, refused: { id: bad.id } });
  const before = started();
  // Not at once.
  await server.round();
  expect(started()).toBe(before);
  world.nowMs += 60_000;
  await server.round();
  expect(started()).toBeGreaterThan(before);
  server.engine.meanwhile = undefined;
  // Whoever asks again waits for nothing.
  await server.round();
  expect(await server.serves()).toBe(OLD.id);
  world.nowMs += 1;
  await checkImage(server.operators, NAME);
  await server.round();
  expect(await server.shown()).toMatchObject({ state: 'current', pin: bad, asked: undefined, refused: undefined });
});

/** A process on another host, on the same store. */
async function node(name: string, options: ConstructorParameters<typeof ImageProcess>[2] = {}): Promise<ImageProcess> {
  const ofNode = await openStore({
    valkey: { ...store.address, password: undefined },
    node: { name, address: '127.0.0.1' },
    limits: { hourly: 0, daily: 0 },
    portRange: store.portRange,
    portCoolDownMs: 200,
    log: silent,
  });
  releasers.push('store of a node', () => ofNode.close());
  return process({ ...options, node: name }, ofNode);
}

describe('one process at a time', () => {
  it('tries an image; another one finds nothing left to do', async () => {
    const server = await settled();
    const other = await node('node1');
    other.engine.local.set(NAME, OLD);
    await other.round();
    world.registry = NEW;
    anHourLater();
    server.engine.meanwhile = () => other.round();
    await server.round();
    await other.round();
    expect([server.engine.started.length, other.engine.started.length]).toEqual([1, 0]);
    expect([await server.serves(), await other.serves()]).toEqual([NEW.id, NEW.id]);
  });

  it('and what it finds counts for nothing once another one has had the turn', async () => {
    const server = await settled();
    world.registry = NEW;
    anHourLater();
    server.engine.meanwhile = () => store.valkey.hincrby('turn_terms', `image:${NAME}`, 1);
    await server.round();
    expect([await server.serves(), await server.trials(), server.reconciles]).toEqual([OLD.id, [], 0]);
  });

  it('also where it stood still for so long that the other one has come to its end', async () => {
    const server = await settled();
    const other = await node('node1');
    other.engine.local.set(NAME, OLD);
    await other.round();
    world.registry = NEW;
    anHourLater();
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    server.engine.meanwhile = async () => {
      server.engine.meanwhile = undefined;
      // Its turn has ended by itself, another one adopts what it tries, and an operator goes back from that.
      await store.valkey.del(`turn:image:${NAME}`);
      await checkImage(other.operators, 'tiny');
      await other.round();
      expect(await other.serves()).toBe(NEW.id);
      await rollBackImage(other.operators, 'tiny');
      // It wakes, and asks for its turn again, which nobody has now.
      vi.advanceTimersByTime(4_000);
      await store.valkey.ping();
    };
    await server.round();
    expect(await server.shown()).toMatchObject({ pin: OLD, refused: { id: NEW.id, why: 'rolled_back' } });
    expect([await server.trials(), server.reconciles]).toEqual([[], 0]);
    expect(server.log.with('A trial of an image was left')).toHaveLength(1);
  });

  it('goes on where one ended that was killed, whose container goes first', async () => {
    const server = await settled();
    world.registry = NEW;
    anHourLater();
    // What a kill in the middle leaves: a container, and that it is being tried.
    let left: ContainerSpec | undefined;
    server.engine.meanwhile = async () => {
      left = server.engine.started[0];
      await store.valkey.hincrby('turn_terms', `image:${NAME}`, 1);
    };
    await server.round();
    if (left === undefined) throw new Error('it was tried');
    expect(left.name).toMatch(/^demo-canary-/);
    const restarted = await process();
    restarted.engine.local.set(NAME, NEW);
    await restarted.engine.start({ ...left, hostPort: await freePort() }, never);
    await store.valkey.hset(
      `image_update:${NAME}`,
      'tried',
      JSON.stringify({ v: 1, id: NEW.id, node: 'node0', step: 'starting', sinceMs: world.nowMs }),
    );
    await restarted.round();
    expect([await restarted.serves(), await restarted.left()]).toEqual([NEW.id, []]);
  });

  it('has what it left removed on its host also when another host went on', async () => {
    const server = await settled();
    world.registry = NEW;
    anHourLater();
    await server.round();
    const [left] = server.engine.started;
    if (left === undefined) throw new Error('it was tried');
    const restarted = await process();
    restarted.engine.local.set(NAME, NEW);
    await restarted.engine.start({ ...left, hostPort: await freePort() }, never);
    await restarted.round();
    expect(await restarted.left()).toEqual([]);
  });

  it('is one of a server, or of a host that has the labels which a template asks for', async () => {
    const labelled = { ...app, nodes: ['gpu'] };
    const server = await settled({ templates: [labelled] });
    const worker = await node('node1', { templates: [labelled], role: 'worker', labels: ['gpu'] });
    worker.engine.local.set(NAME, OLD);
    const plain = await node('node2', { templates: [app], role: 'worker' });
    world.registry = NEW;
    for (const each of [server, plain]) {
      anHourLater();
      await each.round();
    }
    expect([server.engine.fetched, plain.engine.fetched]).toEqual([0, 0]);
    await worker.round();
    expect([await server.serves(), worker.engine.started.length]).toEqual([NEW.id, 1]);
  });
});

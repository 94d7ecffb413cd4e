import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LogBook } from '../../test/support/queue.ts';
import { silent, startStore, type TestStore } from '../../test/support/store.ts';
import { template } from '../../test/support/templates.ts';
import type { FoundImage, ImagePin } from '../domain/image-pin.ts';
import { Catalogue } from '../domain/template.ts';
import { ValkeySavedState } from '../store/saved-state.ts';
import { openStore, type Store } from '../store/store.ts';
import { ImageAgreement } from './agree-on-images.ts';

const NAME = 'registry.example.org/app:1';
const [OLD, NEW, NEWER] = ['sha256:01', 'sha256:02', 'sha256:03'] as const;

let store: TestStore;
const others: Store[] = [];
beforeAll(async () => {
  store = await startStore();
});
beforeEach(async () => {
  await store.valkey.flushall();
});
afterAll(async () => {
  await Promise.all(others.map((other) => other.close()));
  await store[Symbol.asyncDispose]();
});

/** A process on a host, and what names of images stand for there. */
class Host {
  readonly images = new Map<string, Omit<FoundImage, 'name'>>();
  readonly pinned = new Map<string, ImagePin>();
  readonly log = new LogBook();
  readonly #store: Store;
  readonly #decides: boolean;

  constructor(ofNode: Store, role: 'server' | 'worker') {
    this.#store = ofNode;
    this.#decides = role === 'server';
  }

  /** As it is when the process starts, and at each look after that. */
  async settle(): Promise<string | undefined> {
    const foundImages = (names: readonly string[]): Promise<readonly FoundImage[]> =>
      Promise.resolve(names.flatMap((name) => ({ name, ...this.images.get(name) })).filter(isFound));
    await new ImageAgreement({
      catalogue: new Catalogue([template({ image: NAME })]),
      runtime: { foundImages },
      pins: this.#store.imagePins,
      decides: () => Promise.resolve(this.#decides),
      pinned: this.pinned,
      log: this.log,
    }).settle();
    return this.pinned.get(NAME)?.id;
  }

  has(id: string, digest?: string): void {
    this.images.set(NAME, { id, digest });
  }
}

const isFound = (image: Partial<FoundImage> & { readonly name: string }): image is FoundImage => image.id !== undefined;

async function host(name: string, role: 'server' | 'worker'): Promise<Host> {
  if (name === 'node0') return new Host(store, role);
  const ofNode = await openStore({
    valkey: { ...store.address, password: undefined },
    node: { name, address: '127.0.0.1' },
    limits: { hourly: 0, daily: 0 },
    portRange: store.portRange,
    portCoolDownMs: 200,
    log: silent,
  });
  others.push(ofNode);
  return new Host(ofNode, role);
}

describe('what an image stands for', () => {
  it('is what it does on the node of the first server, for everybody', async () => {
    const [worker, server, second] = [
      await host('node1', 'worker'),
      await host('node0', 'server'),
      await host('node2', 'server'),
    ];
    worker.has(OLD);
    // Nobody has decided so far: it goes by its own.
    expect(await worker.settle()).toBeUndefined();
    server.has(NEW, 'sha256:d2');
    expect(await server.settle()).toBe(NEW);
    second.has(OLD);
    expect([await worker.settle(), await second.settle()]).toEqual([NEW, NEW]);
    expect(worker.pinned.get(NAME)).toEqual({ v: 1, id: NEW, digest: 'sha256:d2', node: 'node0' });
    // One that has none at all goes by it, too.
    worker.images.clear();
    expect(await worker.settle()).toBe(NEW);
  });

  it('changes when it moves on the node of a server, and not on that of a worker', async () => {
    const [worker, server, second] = [
      await host('node1', 'worker'),
      await host('node0', 'server'),
      await host('node2', 'server'),
    ];
    for (const each of [server, worker, second]) {
      each.has(OLD);
      expect(await each.settle()).toBe(OLD);
    }
    worker.has(NEW);
    expect([await worker.settle(), await server.settle()]).toEqual([OLD, OLD]);
    second.has(NEWER);
    for (const each of [second, server, worker, server]) expect(await each.settle()).toBe(NEWER);
    // Also while the server was down.
    server.has(NEW);
    const restarted = await host('node0', 'server');
    restarted.has(NEW);
    expect(await restarted.settle()).toBe(NEW);
    expect(await second.settle()).toBe(NEW);
    expect(
      second.log.with('An image has moved').map(({ fields }) => [fields['before'], fields['id'], fields['node']]),
    ).toEqual([
      [OLD, NEWER, 'node2'],
      [NEWER, NEW, 'node0'],
    ]);
  });

  it('changes as well where a worker of the same host has noticed it first', async () => {
    const [server, worker] = [await host('node0', 'server'), await host('node0', 'worker')];
    for (const each of [server, worker]) {
      each.has(OLD);
      await each.settle();
      each.has(NEW);
    }
    expect(await worker.settle()).toBe(OLD);
    expect([await server.settle(), await worker.settle()]).toEqual([NEW, NEW]);
  });

  it('stays what it was after a restore on another host, where the tag leads to what was refused', async () => {
    const server = await host('node0', 'server');
    server.has(OLD, 'sha256:d1');
    expect(await server.settle()).toBe(OLD);
    await store.imageUpdates.decide(NAME, { held: { v: 1, atMs: Date.now() } });
    const saved = new ValkeySavedState(store.valkey);
    const backup = await saved.read();
    await store.valkey.flushall();
    await saved.replace(backup);
    const restored = await host('node1', 'server');
    restored.has(NEW, 'sha256:d2');
    expect(await restored.settle()).toBe(OLD);
    expect(restored.pinned.get(NAME)).toMatchObject({ digest: 'sha256:d1' });
  });

  it('is forgotten once no server has gone by the name for 30 days', async () => {
    const DAY_MS = 24 * 3_600_000;
    const [gone, recent, undated] = ['registry.example.org/app:gone', 'registry.example.org/app:recent', 'app:undated'];
    const [server, worker] = [await host('node0', 'server'), await host('node1', 'worker')];
    server.has(OLD);
    await server.settle();
    const pin = JSON.stringify({ v: 1, id: OLD, node: 'node0' });
    await store.valkey.hset('image_pins', { [gone]: pin, [recent]: pin, [undated]: pin });
    await store.valkey.hset('image_seen:node0', { [gone]: OLD, [recent]: OLD, [undated]: OLD });
    const usedMs = Date.now() - 29 * DAY_MS;
    await store.valkey.zadd('image_pins_used', usedMs - 2 * DAY_MS, gone, usedMs, recent);

    await worker.settle();
    expect(await store.valkey.hexists('image_pins', gone)).toBe(1);
    // It has the image no more, and goes by its name all the same.
    server.images.clear();
    expect(await server.settle()).toBe(OLD);
    for (const key of ['image_pins', 'image_seen:node0'])
      expect((await store.valkey.hkeys(key)).sort()).toEqual([undated, NAME, recent].sort());
    expect((await store.valkey.zrange('image_pins_used', 0, -1)).sort()).toEqual([undated, NAME, recent].sort());
  });
});

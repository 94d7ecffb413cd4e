import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LogBook } from '../../test/support/queue.ts';
import { startStore, type TestStore } from '../../test/support/store.ts';
import { service, template } from '../../test/support/templates.ts';
import { IMAGE_PIN_VERSION } from '../domain/image-pin.ts';
import { IMAGE_UPDATE_VERSION } from '../domain/image-update.ts';
import { Catalogue, type Template } from '../domain/template.ts';
import type { ImageStorage, StoredImage } from './interfaces/image-storage.ts';
import { removeUnusedImages } from './remove-unused-images.ts';

const REPOSITORY = 'registry.example.org/app';
const NAME = `${REPOSITORY}:1`;
const app = template({ image: NAME });
const other = template({ name: 'other', image: 'localhost/other:1' });
const v = IMAGE_UPDATE_VERSION;
let store: TestStore;
let host: Host;
let nowMs: number;

/** An engine's images, in the order that they came. */
class Host implements ImageStorage {
  images: StoredImage[] = [];
  readonly refuses = new Set<string>();

  add(id: string, more: Partial<StoredImage> = {}): void {
    this.images.push({ id, names: [], digests: [], used: false, ...more });
  }

  list(): Promise<readonly StoredImage[]> {
    return Promise.resolve(this.images);
  }

  remove({ id }: StoredImage): Promise<boolean> {
    if (this.refuses.has(id)) return Promise.resolve(false);
    this.images = this.images.filter((image) => image.id !== id);
    return Promise.resolve(true);
  }

  get ids(): readonly string[] {
    return this.images.map(({ id }) => id);
  }
}

beforeAll(async () => {
  store = await startStore();
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
});
beforeEach(async () => {
  await store.clear();
  host = new Host();
  nowMs = Date.now();
});

const pin = (id: string, digest?: string) =>
  ({ v: IMAGE_PIN_VERSION, id, node: 'node0', ...(digest === undefined ? {} : { digest }) }) as const;

/** Fetches it under the name, which leads nowhere else then. */
async function fetched(id: string, name = NAME, more: Partial<StoredImage> = {}): Promise<void> {
  await store.pulledImages.begin({ reference: name, name, present: host.ids });
  host.images = host.images.map((image) => ({ ...image, names: image.names.filter((each) => each !== name) }));
  if (!host.ids.includes(id)) host.add(id, { names: [], ...more });
  if (more.names === undefined)
    host.images = host.images.map((image) => (image.id === id ? { ...image, names: [...image.names, name] } : image));
  await store.pulledImages.end(name, id);
}
const agreed = async (id: string, digest?: string): Promise<unknown> => {
  await store.valkey.hset('image_pins', NAME, JSON.stringify(pin(id, digest)));
  return store.imagePins.keep([NAME]);
};
const noted = (field: string, value: object): Promise<unknown> =>
  store.valkey.hset(`image_update:${NAME}`, field, JSON.stringify({ v, ...value }));

function tidy(templates: readonly Template[] = [app], log = new LogBook()): Promise<void> {
  const { imagePins: pins, imageUpdates: updates, pulledImages: pulled, previews } = store;
  const deps = { pins, updates, pulled, previews, storage: host, clock: { now: () => nowMs }, log };
  return removeUnusedImages({ catalogue: new Catalogue(templates), ...deps });
}

describe('of the images that were fetched', () => {
  it('the present one and the one before stay, after any number of updates', async () => {
    for (let day = 1; day <= 50; day += 1) {
      await fetched(`image${day}`);
      await agreed(`image${day}`);
      if (day > 1) await noted('former', { pin: pin(`image${day - 1}`), untilMs: nowMs, promoted: {} });
      await tidy();
    }
    expect(host.ids).toEqual(['image49', 'image50']);
    expect(Object.keys(await store.valkey.hgetall('pulled_images:node0')).sort()).toEqual([
      'image image49',
      'image image50',
    ]);
  });

  it('none goes that is tried, was refused, is known by its digest, or that any container was made of', async () => {
    for (const id of ['tried', 'refused', 'pinned elsewhere', 'in use', 'left'])
      await fetched(id, NAME, {
        used: id === 'in use',
        digests: id === 'pinned elsewhere' ? ['registry.example.org/app@sha256:d1'] : [],
      });
    await fetched('newest');
    await agreed('other id', 'sha256:d1');
    await noted('tried', { id: 'tried', node: 'node0', step: 'starting', sinceMs: nowMs });
    await noted('refused', { id: 'refused', why: 'failed', reason: 'it fails', node: 'node0', atMs: nowMs });
    await tidy();
    expect(host.ids).toEqual(['tried', 'refused', 'pinned elsewhere', 'in use', 'newest']);
  });

  it.each([REPOSITORY, `${REPOSITORY}:1`])(
    'none goes that a template names by its digest, as %s@…, also for a service',
    async (name) => {
      for (const at of ['d1', 'd2', 'd3'])
        await fetched(at, `${name}@sha256:${at}`, { names: [], digests: [`${REPOSITORY}@sha256:${at}`] });
      await tidy([template({ image: `${name}@sha256:d1`, services: [service(`${name}@sha256:d2`)] })]);
      expect(host.ids).toEqual(['d1', 'd2']);
    },
  );

  it('none goes that a template names without a tag, and it goes with the template', async () => {
    await fetched('image', REPOSITORY, { names: [`${REPOSITORY}:latest`] });
    await tidy([template({ image: REPOSITORY })]);
    expect(host.ids).toEqual(['image']);
    await tidy([other]);
    expect(host.ids).toEqual([]);
  });

  it('none goes that the engine does not let go, and it goes when that is over', async () => {
    await fetched('old');
    await fetched('new');
    host.refuses.add('old');
    await tidy();
    expect(host.ids).toEqual(['old', 'new']);
    host.refuses.clear();
    await tidy();
    expect(host.ids).toEqual(['new']);
  });

  it('those that a preview had before go at once, but for what somebody visits', async () => {
    const image = (push: number): string => `${REPOSITORY}:pr-1-${push}`;
    for (let push = 1; push <= 60; push += 1) {
      const name = image(push);
      const wanted = { name: 'shop-pr-1', from: 'shop', image: name, title: undefined, by: 'ci' };
      await store.previews.put({ ...wanted, endsAtMs: nowMs + 1e9 }, { offered: 5, recorded: 10, nowMs });
      // Every third push leaves the image as it was.
      const id = `image${push % 3 === 0 ? push - 1 : push}`;
      await fetched(id, name, { used: id === 'image2' });
      await store.valkey.hset('image_pins', name, JSON.stringify(pin(id)));
      await store.imagePins.keep([name]);
      await tidy([app, template({ name: 'shop-pr-1', image: name })]);
    }
    expect(host.ids).toEqual(['image2', 'image59']);
  });

  it('those that came under several names go with the last of them, but for a name of somebody else', async () => {
    const [one, two, three] = [`${REPOSITORY}:pr-1-a`, `${REPOSITORY}:pr-1-b`, `${REPOSITORY}:pr-2-a`];
    await fetched('same', one);
    await fetched('same', two);
    await fetched('same', three);
    await fetched('named', one);
    await fetched('named', two);
    host.images = host.images.map((image) =>
      image.id === 'named' ? { ...image, names: [...image.names, 'localhost/mine:1'] } : image,
    );
    await tidy([template({ image: three })]);
    expect(host.ids).toEqual(['same', 'named']);
    await tidy();
    expect(host.ids).toEqual(['named']);
    expect(Object.keys(await store.valkey.hgetall('pulled_images:node0')).sort()).toEqual([
      `also named ${two}`,
      'image named',
    ]);
  });

  it('one that somebody has fetched from a repository of their own stays, though it has no other name', async () => {
    await fetched('ours', `${REPOSITORY}:pr-1-a`, {
      names: [`${REPOSITORY}:pr-1-a`],
      digests: [`${REPOSITORY}@sha256:d1`],
    });
    await fetched('theirs too', `${REPOSITORY}:pr-1-b`, {
      names: [`${REPOSITORY}:pr-1-b`],
      digests: [`${REPOSITORY}@sha256:d2`, 'mirror.example.org/app@sha256:d2'],
    });
    await tidy();
    expect(host.ids).toEqual(['theirs too']);
  });

  it('those of Docker Hub go, which engines list without their registry', async () => {
    await fetched('app', 'docker.io/acme/app:1', { names: [], digests: ['acme/app@sha256:d1'] });
    await fetched('tagged', 'docker.io/acme/app:2', { names: ['acme/app:2'], digests: ['acme/app@sha256:d2'] });
    await fetched('of all', 'index.docker.io/app:1', { names: ['app:1'], digests: ['app@sha256:d3'] });
    await fetched('needed', 'docker.io/library/app:3', { names: ['app:3'], digests: ['app@sha256:d4'] });
    await tidy([template({ image: 'docker.io/app:3' })]);
    expect(host.ids).toEqual(['needed']);
  });

  it('those that came under two names at the same time are known by both', async () => {
    const names = [`${REPOSITORY}:pr-1-a`, `${REPOSITORY}:pr-2-a`];
    for (const name of names) await store.pulledImages.begin({ reference: name, name, present: [] });
    host.add('same', { names });
    await Promise.all(names.map((name) => store.pulledImages.end(name, 'same')));
    await tidy();
    expect(host.ids).toEqual([]);
  });

  it('those of a template that was removed go a day later', async () => {
    await fetched('image');
    await agreed('image');
    await tidy([other]);
    expect(host.ids).toEqual(['image']);
    await store.valkey.zadd('image_pins_used', Date.now() - 25 * 3_600_000, NAME);
    await tidy([other]);
    expect(host.ids).toEqual([]);
  });
});

describe("somebody else's image", () => {
  it('stays: one that was there before, that was never fetched here, or has a name of its own', async () => {
    host.add('loaded');
    host.add('brought under the name', { names: [NAME] });
    await fetched('brought under the name');
    await fetched('named');
    host.images = host.images.map((image) =>
      image.id === 'named' ? { ...image, names: ['localhost/mine:1'] } : { ...image, names: [] },
    );
    await tidy();
    expect(host.ids).toEqual(['loaded', 'brought under the name', 'named']);
  });
});

describe('a fetch whose process was killed', () => {
  const died = (present: readonly string[]): Promise<void> =>
    store.pulledImages.begin({ reference: NAME, name: NAME, present });

  it.each([
    ['before it was there', [], []],
    ['when it was there', ['came'], ['image came']],
  ])('%s, is settled an hour later', async (_, came, noticed) => {
    host.add('loaded');
    await died(host.ids);
    for (const id of came) host.add(id, { names: [NAME] });
    await tidy();
    expect(Object.keys(await store.valkey.hgetall('pulled_images:node0'))).toEqual([`pull ${NAME}`]);
    nowMs += 2 * 3_600_000;
    await tidy();
    expect(Object.keys(await store.valkey.hgetall('pulled_images:node0'))).toEqual(noticed);
    expect(host.ids).toEqual(['loaded', ...came]);
  });

  it.each([
    [REPOSITORY, { names: [`${REPOSITORY}:latest`] }],
    [`${REPOSITORY}@sha256:d1`, { digests: [`${REPOSITORY}@sha256:d1`] }],
    [`${REPOSITORY}:1@sha256:d1`, { digests: [`${REPOSITORY}@sha256:d1`] }],
  ])('is known for its own by whatever kind of name: %s', async (reference, came) => {
    await store.pulledImages.begin({ reference, name: reference, present: [] });
    host.add('came', came);
    nowMs += 2 * 3_600_000;
    for (let rounds = 0; rounds < 2; rounds += 1) await tidy();
    expect(host.ids).toEqual([]);
  });

  it('is known for its own by the next one of the same name', async () => {
    await died(host.ids);
    host.add('came', { names: [NAME] });
    await fetched('came');
    await fetched('newer');
    await agreed('newer');
    await tidy();
    expect(host.ids).toEqual(['newer']);
  });

  it('between the removal of an image and its entry leaves nothing', async () => {
    await fetched('old');
    await fetched('new');
    await agreed('new');
    host.images = host.images.filter(({ id }) => id !== 'old');
    await tidy();
    expect(Object.keys(await store.valkey.hgetall('pulled_images:node0'))).toEqual(['image new']);
  });
});

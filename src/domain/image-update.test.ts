import { describe, expect, it } from 'vitest';
import { service, template } from '../../test/support/templates.ts';
import { isToBeTried, isTriedFirst, watchedImages, withImage, type RefusedImage } from './image-update.ts';

const NAME = 'registry.example.org/app:1';
const [OLD, NEW] = ['sha256:01', 'sha256:02'];
const withService = (image: string) => template({ name: 'other', services: [service(image)] });

describe('the images of a catalogue', () => {
  it('are each there once, with all templates that have a container of it', () => {
    const shop = template({ name: 'shop', image: NAME, imageCheck: { kind: 'manual' }, pull: 'never' });
    const images = watchedImages([shop, withService(NAME), template({ name: 'fixed', image: 'app@sha256:1' })]);
    expect(images.map(({ name, templates }) => [name, templates.map((each) => each.name)])).toEqual([
      [NAME, ['shop', 'other']],
      ['localhost/try-it-now/tiny:latest', ['other']],
    ]);
    // One of them says that it is to be tried, and another that it may be fetched.
    expect(images.map((image) => [isTriedFirst(image), image.fetched])).toEqual([
      [true, true],
      [false, true],
    ]);
  });

  it('are swapped by their id wherever the template has one of the name', () => {
    const { image, services } = withImage(template({ image: NAME, services: [service(NAME)] }), NAME, NEW);
    expect([image, services[0]?.image]).toEqual([NEW, NEW]);
    expect(withImage(withService('another'), NAME, NEW)).toEqual(withService('another'));
  });
});

describe('what a name leads to on a host', () => {
  const pin = { v: 1, id: OLD, digest: 'sha256:d1', node: 'node0' } as const;
  const refused: RefusedImage = { v: 1, id: NEW, why: 'failed', reason: '', node: 'node0', atMs: 0 };
  const found = (id: string, digest?: string) => ({ name: NAME, id, digest });
  const known = { pin, seen: OLD as string | undefined, refused: undefined as RefusedImage | undefined, asked: false };

  it.each([
    ['has moved', found(NEW), known, true],
    ['is what visitors get', found(OLD), { ...known, seen: NEW, asked: true }, false],
    ['is that by its digest', found('sha256:01-by-another-engine', 'sha256:d1'), { ...known, asked: true }, false],
    ['is what it was there before', found(NEW), { ...known, seen: NEW }, false],
    ['was never looked at there', found(NEW), { ...known, seen: undefined }, false],
    ['was refused', found(NEW), { ...known, refused }, false],
    ['was refused, and somebody asks', found(NEW), { ...known, refused, seen: NEW, asked: true }, true],
    ['is another one than was refused', found('sha256:03'), { ...known, refused }, true],
  ])('%s: whether it is tried', (_, here, state, tried) => {
    expect(isToBeTried(here, state)).toBe(tried);
  });
});

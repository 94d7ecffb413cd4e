import { describe, expect, it } from 'vitest';
import { template } from '../../test/support/templates.ts';
import { offeredPreviews, type Preview } from './preview.ts';
import { isAllowedImage } from './preview-rules.ts';
import { Catalogue } from './template.ts';

const RULES = { images: ['ghcr.io/acme/shop:pr-*'], max: 2, maxAgeMs: 1_000, pool: { target: 1, max: 2 } };
const SHOP = template({ name: 'shop', previews: RULES });
const PREVIEW: Preview = {
  ...{ v: 1, name: 'shop-pr-1', from: 'shop', image: 'ghcr.io/acme/shop:pr-1' },
  ...{ createdAtMs: 0, putAtMs: 0, endsAtMs: 1_000 },
};

describe('images that a template allows', () => {
  it.each([
    ['ghcr.io/acme/shop:pr-1', true],
    ['ghcr.io/acme/shop:pr-', true],
    ['ghcr.io/acme/shop:pr-1-a.b_c', true],
    ['ghcr.io/acme/shop:main', false],
    ['ghcr.io/acme/shop:pr-1/evil', false],
    ['ghcr.io/acme/shop:pr-1@sha256:00', false],
    ['ghcrxio/acme/shop:pr-1', false],
    ['evil/ghcr.io/acme/shop:pr-1', false],
    ['ghcr.io/acme/shop:pr-1\nx', false],
  ])('%j: %s', (image, allowed) => {
    expect(isAllowedImage(image, RULES.images)).toBe(allowed);
  });
});

describe('what previews add to the templates of the file', () => {
  const offered = (previews: readonly Preview[], file = [SHOP]) => offeredPreviews(file, previews);

  it('is a copy with another image, which starts cold and ends', () => {
    const [copy] = offered([PREVIEW]).templates;
    expect(copy).toMatchObject({
      ...{ name: 'shop-pr-1', image: PREVIEW.image, port: SHOP.port, endsAtMs: 1_000, previewOf: 'shop' },
      ...{ pool: RULES.pool, checkpoint: { enabled: false }, previews: undefined },
    });
  });

  it('ends with its template, where that ends sooner', () => {
    expect(offered([PREVIEW], [{ ...SHOP, endsAtMs: 500 }]).templates[0]?.endsAtMs).toBe(500);
  });

  it('is nothing under the name of a template of the file', () => {
    const { templates, problems } = offered([PREVIEW], [SHOP, template({ name: 'shop-pr-1' })]);
    expect([templates, problems.get('shop-pr-1')]).toEqual([[], expect.stringContaining('offered in its place')]);
  });

  it('is over at once where the template no longer allows it', () => {
    const { templates, problems } = offered([{ ...PREVIEW, image: 'ghcr.io/acme/shop:main' }]);
    expect([templates[0]?.endsAtMs, problems.size]).toEqual([0, 1]);
  });
});

describe('a catalogue', () => {
  it('offers nothing from the moment that it ends, and tells who asks for it', () => {
    let nowMs = 0;
    const catalogue = new Catalogue([SHOP, ...offeredPreviews([SHOP], [PREVIEW]).templates], '', () => nowMs);
    const before = catalogue.revision;
    let told = 0;
    catalogue.subscribe(() => (told += 1));
    nowMs = 999;
    expect(catalogue.all().map(({ name }) => name)).toEqual(['shop', 'shop-pr-1']);
    expect([catalogue.ended('shop-pr-1'), told]).toEqual([undefined, 0]);
    nowMs = 1_000;
    expect(catalogue.get('shop-pr-1')).toBeUndefined();
    expect(catalogue.version('shop-pr-1')).toBeUndefined();
    expect(catalogue.ended('shop-pr-1')).toBe(catalogue.known('shop-pr-1'));
    expect([catalogue.ended('shop'), catalogue.ended('nobody'), told]).toEqual([undefined, undefined, 1]);
    expect(catalogue.revision).not.toBe(before);
    catalogue.replace([SHOP]);
    expect(catalogue.known('shop-pr-1')).toBeUndefined();
  });

  it('needs one that does not end', () => {
    expect(() => new Catalogue([{ ...SHOP, endsAtMs: 5 }], '', () => 5)).toThrow('does not end');
  });
});

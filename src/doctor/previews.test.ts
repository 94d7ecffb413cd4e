import { describe, expect, it } from 'vitest';
import { template } from '../../test/support/templates.ts';
import type { PreviewSnapshot } from '../pool/operate-previews.ts';
import { Shared, runChecks } from './check.ts';
import { previewChecks } from './previews.ts';

const NOW_MS = Date.parse('2026-01-02T03:04:05Z');
const HOUR_MS = 3_600_000;
const RULES = { images: ['ghcr.io/acme/shop:pr-*'], max: 2, maxAgeMs: HOUR_MS, pool: { target: 1, max: 2 } };
const SHOP = template({ name: 'shop', previews: RULES });
const sound: PreviewSnapshot = {
  ...{ v: 1, name: 'shop-pr-1', from: 'shop', image: 'ghcr.io/acme/shop:pr-1', title: 'Shop', by: 'key:aaaaaaaa' },
  ...{ createdAtMs: NOW_MS, putAtMs: NOW_MS, endsAtMs: NOW_MS + 5 * HOUR_MS },
  ...{ state: 'ready', why: undefined, ready: 1, visitors: 0 },
};

const diagnosed = (previews: readonly Partial<PreviewSnapshot>[], templates = [SHOP]) => {
  const state = { previews: previews.map((overrides) => ({ ...sound, ...overrides })), nowMs: NOW_MS };
  return runChecks(previewChecks(templates, new Shared(() => Promise.resolve(state), 'Valkey cannot be used')));
};
const seen = async (...asked: Parameters<typeof diagnosed>) =>
  (await diagnosed(...asked)).map((each) => [each.what, each.verdict, each.seen]);

describe('previews', () => {
  it('are counted, with the one that ends next', async () => {
    expect(await seen([])).toEqual([['of shop', 'ok', 'none; 2 may be']]);
    expect(await seen([{ name: 'late', endsAtMs: NOW_MS + 50 * HOUR_MS, state: 'ended' }, {}])).toEqual([
      ['of shop', 'ok', '1 of at most 2; shop-pr-1 ends next, in 5 h'],
    ]);
  });

  it('are too many for another one', async () => {
    expect(await seen([{ name: 'late', endsAtMs: NOW_MS + 50 * HOUR_MS }, {}])).toEqual([
      ['of shop', 'warning', '2 of at most 2; shop-pr-1 ends next, in 5 h; a further one is refused'],
    ]);
  });

  it('that are not offered, or do not come up, are named with why, and no more than some', async () => {
    const refused = { state: 'refused', why: 'the file has no template named shop any more' } as const;
    const failing = { state: 'failing', why: 'the image shop:pr-1 is nowhere' } as const;
    expect(await seen([refused], [])).toEqual([['shop-pr-1', 'warning', `not offered: ${refused.why}`]]);
    const many = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => ({ ...failing, name }));
    const found = await diagnosed(many, []);
    expect(found.map(({ what }) => what)).toEqual(['a', 'b', 'c', 'd', 'e', 'others']);
    expect(found[0]).toMatchObject({ verdict: 'warning', seen: `does not come up: ${failing.why}` });
    expect(found[5]?.seen).toBe('2 more are not offered, or do not come up');
    expect(found.every(({ remedy }) => /\S/.test(remedy ?? ''))).toBe(true);
  });

  it('are nothing to say of where no template lets them be made', async () => {
    expect(await seen([], [template()])).toEqual([]);
  });
});

import { expect, it } from 'vitest';
import type { PreviewSnapshot } from '../../http/admin/operators.ts';
import type { View } from '../layout.ts';
import type { Snapshot } from '../snapshot.ts';
import { previewsPage } from './previews.ts';

const TROUBLE = { trouble: { code: 'store_unavailable', message: 'Valkey is away', remedy: 'Wait' } } as const;
const RULES = { images: ['ghcr.io/acme/shop:pr-*'], max: 5, maxAgeMs: 90 * 60_000, pool: { target: 1, max: 2 } };
const empty: Snapshot = {
  ...{ atMs: 0, pools: { value: [] }, queue: TROUBLE, nodes: { value: [] }, images: { value: [] } },
  ...{ catalogue: { value: { revision: 'r', templates: [], processes: [] } }, previews: { value: [] } },
  ...{ history: new Map(), quarantined: [], jobs: [], diagnosed: undefined },
};
const view = (role: View['caller']['role']): View => ({
  caller: { who: 'key:aaaaaaaa', role, session: undefined },
  assets: { 'dashboard.css': '', 'dashboard.js': '', 'icon.svg': '' },
  done: undefined,
});
const text = (snapshot: Snapshot, role: View['caller']['role'] = 'operator') => previewsPage(view(role), snapshot).text;
const shop = { name: 'shop', version: '1', endsAtMs: undefined, previewOf: undefined, previews: RULES };
const allowed: Snapshot = { ...empty, catalogue: { value: { revision: 'r', templates: [shop], processes: [] } } };

it('without any says so, and has nothing to fill in where no template lets them be made', () => {
  expect(text(empty)).toContain('There are no previews.');
  expect(text(empty)).toContain('no template lets previews be made');
  expect(text(empty)).not.toContain('<form');
});

it('says what may be put, and has it put by who may', () => {
  for (const said of ['ghcr.io/acme/shop:pr-*', '0 of 5', '90 min', 'action="/act/preview.put"'])
    expect(text(allowed)).toContain(said);
  expect(text(allowed, 'viewer')).not.toContain('<form');
  expect(text(allowed, 'viewer')).toContain('may look at this and change nothing');
});

it('counts against the limit what is not offered, and not what has ended', () => {
  const one: Omit<PreviewSnapshot, 'state'> = {
    ...{ v: 1, name: 'shop-pr-1', from: 'shop', image: 'ghcr.io/acme/shop:pr-1', title: 'Shop', why: undefined },
    ...{ createdAtMs: 0, putAtMs: 0, endsAtMs: 1, ready: 0, visitors: 1 },
  };
  const previews: readonly PreviewSnapshot[] = [
    { ...one, state: 'refused', why: 'the template shop does not let previews be made any more' },
    { ...one, name: 'shop-pr-2', state: 'ended' },
  ];
  const page = text({ ...allowed, previews: { value: previews } });
  expect(page).toContain('1 of 5');
  expect(page).toContain('The template shop does not let previews be made any more.');
  // What is not offered has no pool, and what has ended is not there to be removed.
  expect(page).not.toContain('/pools/shop-pr-');
  expect(page.match(/aria-label="Remove/g)).toHaveLength(1);
});

it('says so of a part that does not answer', () => {
  expect(text({ ...empty, previews: TROUBLE, catalogue: TROUBLE }).match(/Valkey is away/g)).toHaveLength(2);
});

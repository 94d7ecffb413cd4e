import { expect, it } from 'vitest';
import { shareFields, unusualShares, type ShareFigure, type Taker } from './unusual-shares.ts';

type Figures = Partial<Record<ShareFigure, number>>;
type Counted = readonly [Partial<Taker> & Pick<Taker, 'clientKey'>, Figures];

/** As many of each, by whom. */
function counted(all: readonly Counted[]) {
  const counts = new Map<string, number>();
  for (const [who, figures] of all)
    for (const [figure, count] of Object.entries(figures) as [ShareFigure, number][])
      for (const field of shareFields({ visitor: undefined, site: undefined, ...who }, [figure]))
        counts.set(field, (counts.get(field) ?? 0) + count);
  return counts;
}
const found = (...all: readonly Counted[]) =>
  unusualShares(counted(all)).map(({ kind, who, why, network }) => [kind, who, why, network]);
const honest = (count: number, figures: Figures): readonly Counted[] =>
  Array.from({ length: count }, (_, at) => [{ clientKey: `198.51.100.${at}` }, figures]);

it('names the address that takes far more than others', () => {
  expect(found(...honest(8, { taken: 1 }), [{ clientKey: '203.0.113.7' }, { taken: 10 }])).toEqual([
    ['address', '203.0.113.7', 'share', '203.0.113.7/32'],
  ]);
  expect(found([{ clientKey: '203.0.113.7' }, { taken: 10 }])).toHaveLength(1);
});

it.each<readonly [string, readonly Counted[]]>([
  ['few', [[{ clientKey: '203.0.113.7' }, { taken: 9 }]]],
  ['as many as others', honest(5, { taken: 12 })],
  ['a small part of a busy hour', [...honest(200, { taken: 1 }), [{ clientKey: '203.0.113.7' }, { taken: 20 }]]],
  ['refusals of an impatient visitor', [[{ clientKey: '203.0.113.7' }, { taken: 2, refused: 29 }]]],
  ['what nobody opens', honest(5, { taken: 1, ended: 12, unopened: 12 })],
])('takes no offence at %s', (_, all) => {
  expect(found(...all)).toEqual([]);
});

it('names who goes on asking against a limit, and who never opens what they take', () => {
  expect(
    found(
      ...honest(8, { taken: 2, ended: 2 }),
      [{ clientKey: '203.0.113.7' }, { taken: 2, refused: 30 }],
      [{ clientKey: '203.0.113.8' }, { taken: 5, ended: 11, unopened: 10 }],
    ),
  ).toEqual([
    ['address', '203.0.113.7', 'refused', '203.0.113.7/32'],
    ['address', '203.0.113.8', 'unopened', '203.0.113.8/32'],
  ]);
});

it('names whose visits were ended because they harmed others, but not for one', () => {
  expect(
    found([{ clientKey: '203.0.113.7' }, { taken: 2, harmful: 2 }], [{ clientKey: '203.0.113.8' }, { harmful: 1 }]),
  ).toEqual([['address', '203.0.113.7', 'harm', '203.0.113.7/32']]);
});

it('names the network whose addresses each take little, and the address alone where it is the one', () => {
  const addresses = Array.from({ length: 10 }, (_, at): Counted => [
    { clientKey: `2001:db8:1:${at}::/64` },
    { taken: 2 },
  ]);
  expect(found(...honest(8, { taken: 1 }), ...addresses)).toEqual([
    ['network', '2001:db8:1::/48', 'share', '2001:db8:1::/48'],
  ]);
  expect(found(...honest(8, { taken: 1 }), [{ clientKey: '2001:db8:1:2::/64' }, { taken: 20 }])).toEqual([
    ['address', '2001:db8:1:2::/64', 'share', '2001:db8:1:2::/64'],
  ]);
});

it('names the browser that comes from many addresses, by where it comes from most', () => {
  const from = (at: number, taken: number): Counted => [{ clientKey: `203.0.113.${at}`, visitor: 'a1' }, { taken }];
  expect(found(...honest(8, { taken: 1 }), from(1, 4), from(2, 5), from(3, 4))).toEqual([
    ['visitor', 'a1', 'share', '203.0.113.2/32'],
  ]);
  // Whose address says it all.
  expect(found(...honest(8, { taken: 1 }), from(1, 12)).map(([kind]) => kind)).toEqual(['address']);
});

it('names an embedding site for what nobody opens, not for the visitors it brings', () => {
  const site = 'forum.example.org';
  const of = (figures: Figures) => honest(12, figures).map(([who, each]): Counted => [{ ...who, site }, each]);
  expect(found(...of({ taken: 2, ended: 1 }))).toEqual([]);
  expect(found(...of({ taken: 1, ended: 1, unopened: 1 }))).toEqual([['site', site, 'unopened', undefined]]);
});

it('passes over what another version counts', () => {
  expect(
    unusualShares(
      new Map([
        ['address 203.0.113.7 stolen', 99],
        ['planet earth taken', 99],
        ['x', 9],
      ]),
    ),
  ).toEqual([]);
});

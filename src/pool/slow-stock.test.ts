import { beforeEach, expect, it } from 'vitest';
import type { Instance } from '../domain/instance.ts';
import { SlowStock } from './slow-stock.ts';

let stock: SlowStock;

beforeEach(() => {
  stock = new SlowStock();
});

/** One round: how long each took, by its place. Returns the places of those that are slow. */
function round(tookMs: readonly number[], template = 'shop'): string[] {
  const looks = tookMs.map((ms, at) => ({ record: { id: `${template} ${at}`, template } as Instance, tookMs: ms }));
  return stock.judge(looks).map(({ record }) => record.id);
}

function rounds(count: number, tookMs: readonly number[]): string[] {
  return Array.from({ length: count }, () => round(tookMs)).flat();
}

it('names what was slow three times in a row', () => {
  const seen = [5, 6, 1_200, 4, 5];
  expect(rounds(2, seen)).toEqual([]);
  expect(round(seen)).toEqual(['shop 2']);
  expect(round(seen)).toEqual(['shop 2']);
});

it('begins again after one that was not', () => {
  const seen = [5, 6, 1_200, 4, 5];
  rounds(2, seen);
  round([5, 6, 7, 4, 5]);
  expect(rounds(2, seen)).toEqual([]);
});

it.each<[string, readonly number[]]>([
  ['no visitor would notice', [5, 6, 990, 4, 5]],
  ['is slow for this app, but not ten times as slow', [200, 210, 1_900, 190, 205]],
  ['has too few beside it', [5, 1_200, 5]],
  ['is not alone: all are slow', [1_100, 1_200, 1_300, 1_150]],
  ['is not alone: more than a quarter are', [5, 6, 1_200, 1_300, 4, 5]],
])('leaves what %s', (_, tookMs) => {
  expect(rounds(5, tookMs)).toEqual([]);
});

it('compares with the same template alone', () => {
  for (let at = 0; at < 5; at += 1) {
    const heavy = [2_000, 2_100, 2_050, 1_990].map((tookMs, place) => ({
      record: { id: `heavy ${place}`, template: 'heavy' } as Instance,
      tookMs,
    }));
    const light = Array.from({ length: 20 }, (_, place) => ({
      record: { id: `light ${place}`, template: 'light' } as Instance,
      tookMs: 3,
    }));
    expect(stock.judge([...heavy, ...light])).toEqual([]);
  }
});

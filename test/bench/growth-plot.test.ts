import { expect, it } from 'vitest';
import { replaceBetween } from '../support/page-part.ts';
import { figure, figureOfRounds, type Figure } from './figures.ts';
import { curvesOf, plot } from './growth-plot.ts';

const point = (name: string, instances: number, ...rounds: number[]): Figure => ({
  ...figureOfRounds(`${name}, ${instances}`, rounds, 'ms'),
  curve: { name, instances },
});
const figures = [
  point('start', 1_000, 40, 20, 30),
  point('start', 100, 5),
  figure('start, exponent', 0.8, ''),
  point('acquire', 100, 1, 2, 3),
  point('acquire', 1_000, 2, 2, 2),
];
/** No decade lies between its least and its most. */
const still = [point('refill', 100, 1), point('refill', 1_000, 1)];

it('makes a curve of the figures of each name, from the smallest on, with the spread of the rounds', () => {
  expect(curvesOf(figures)).toEqual([
    {
      name: 'start',
      points: [
        { instances: 100, value: 5, least: 5, most: 5 },
        { instances: 1_000, value: 30, least: 20, most: 40 },
      ],
    },
    {
      name: 'acquire',
      points: [
        { instances: 100, value: 2, least: 1, most: 3 },
        { instances: 1_000, value: 2, least: 2, most: 2 },
      ],
    },
  ]);
});

it('draws every point inside of its cell, higher for more', () => {
  const svg = plot(curvesOf(figures));
  const circles = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [Number(x), Number(y)]);
  expect(circles).toHaveLength(4);
  for (const [x = NaN, y = NaN] of circles) {
    expect(x).toBeGreaterThan(0);
    expect(y).toBeGreaterThan(0);
    expect(x).toBeLessThan(290);
    expect(y).toBeLessThan(200);
  }
  const [[leftX = NaN, low = NaN] = [], [rightX = NaN, high = NaN] = [], [, flat] = [], [, asFlat] = []] = circles;
  expect(rightX).toBeGreaterThan(leftX);
  expect(high).toBeLessThan(low);
  expect(flat).toBe(asFlat);
  for (const drawn of [svg, plot(curvesOf(still))]) expect(drawn).not.toMatch(/NaN|Infinity/);
});

it('puts a part into a page between its comments, and touches nothing else', () => {
  const page = 'before\n<!-- growth: generated -->\n\nold\n\n<!-- end of growth -->\nafter\n';
  expect(replaceBetween(page, 'growth', 'new')).toBe(page.replace('old', 'new'));
  expect(() => replaceBetween(page, 'other', 'new')).toThrow('<!-- other: generated -->');
});

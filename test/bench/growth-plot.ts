import { median, type Figure } from './figures.ts';

interface Point {
  readonly instances: number;
  readonly value: number;
  readonly least: number;
  readonly most: number;
}

export interface PlottedCurve {
  readonly name: string;
  readonly points: readonly Point[];
}

const COLUMNS = 3;
const CELL = { width: 290, height: 200 };
/** Of a cell, around what is drawn in it. */
const MARGIN = { left: 52, right: 14, top: 34, bottom: 26 };
const STYLE = [
  'text{font:11px sans-serif;fill:#333}.name{font-weight:bold}',
  '.grid{stroke:#ddd}.linear{stroke:#999;stroke-dasharray:4 4}',
  '.curve{fill:none;stroke:#1769aa;stroke-width:2}.spread{stroke:#1769aa}circle{fill:#1769aa}',
].join('');

/** The curves among the figures, each with its points from the smallest on. */
export function curvesOf(figures: readonly Figure[]): readonly PlottedCurve[] {
  const names = new Set(figures.flatMap(({ curve }) => (curve === undefined ? [] : [curve.name])));
  return [...names].map((name) => ({
    name,
    points: figures
      .flatMap(({ curve, value, rounds = [value] }) =>
        curve?.name === name
          ? [
              {
                instances: curve.instances,
                value: median(rounds),
                least: Math.min(...rounds),
                most: Math.max(...rounds),
              },
            ]
          : [],
      )
      .sort((a, b) => a.instances - b.instances),
  }));
}

/** Each curve in a square of its own, both axes logarithmic; a dashed line shows what linear growth would be. */
export function plot(curves: readonly PlottedCurve[]): string {
  const width = COLUMNS * CELL.width;
  const height = Math.ceil(curves.length / COLUMNS) * CELL.height;
  const cells = curves.map((curve, at) => {
    const [left, top] = [(at % COLUMNS) * CELL.width, Math.floor(at / COLUMNS) * CELL.height];
    return `<g transform="translate(${left} ${top})">${cell(curve)}</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">`,
    `<style>${STYLE}</style><rect width="100%" height="100%" fill="#fff"/>`,
    ...cells,
    '</svg>\n',
  ].join('\n');
}

function cell({ name, points }: PlottedCurve): string {
  const [first] = points;
  const last = points.at(-1);
  if (first === undefined || last === undefined) return '';
  const lowest = decade(Math.min(...points.map(({ least }) => least)), Math.floor);
  const highest = Math.max(10 * lowest, decade(Math.max(...points.map(({ most }) => most)), Math.ceil));
  const x = scale(first.instances, last.instances, MARGIN.left, CELL.width - MARGIN.right);
  const y = scale(lowest, highest, CELL.height - MARGIN.bottom, MARGIN.top);
  const [left, right] = [x(first.instances), x(last.instances)];
  // Up to the edge, where linear growth would leave it.
  const until = Math.min(last.instances, (first.instances * highest) / first.value);
  const linear = line('linear', left, y(first.value), x(until), y((first.value * until) / first.instances));
  const at = points.map(({ instances, value }) => `${x(instances)},${y(value)}`);
  return [
    `<text class="name" x="${MARGIN.left}" y="20">${name}</text>`,
    ...decades(lowest, highest).map(
      (value) => line('grid', left, y(value), right, y(value)) + label(left - 6, y(value) + 4, 'end', short(value)),
    ),
    ...points.map(({ instances }) => label(x(instances), CELL.height - 8, 'middle', short(instances))),
    linear,
    `<polyline class="curve" points="${at.join(' ')}"/>`,
    ...points.map(
      ({ instances, value, least, most }) =>
        line('spread', x(instances), y(least), x(instances), y(most)) +
        `<circle cx="${x(instances)}" cy="${y(value)}" r="3"/>`,
    ),
  ].join('\n');
}

function label(x: number, y: number, anchor: 'end' | 'middle', text: string): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}">${text}</text>`;
}

function line(kind: string, x1: number, y1: number, x2: number, y2: number): string {
  return `<line class="${kind}" x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}"/>`;
}

/** Logarithmic; to a tenth of a pixel. */
function scale(from: number, to: number, start: number, end: number): (value: number) => number {
  return (value) => Number((start + (Math.log(value / from) / Math.log(to / from)) * (end - start)).toFixed(1));
}

function decade(value: number, round: (exponent: number) => number): number {
  return 10 ** round(Math.log10(value));
}

function decades(lowest: number, highest: number): readonly number[] {
  const count = Math.round(Math.log10(highest / lowest)) + 1;
  return Array.from({ length: count }, (_, at) => lowest * 10 ** at);
}

function short(value: number): string {
  return value >= 1_000 ? `${value / 1_000}k` : String(Number(value.toPrecision(3)));
}

import { html, type Html } from '../presentation/html.ts';

const WIDTH = 180;
const HEIGHT = 40;

/** A line over time, drawn on the server; `name` says in words what it shows. Nothing before there are two values. */
export function sparkline(name: string, values: readonly number[]): Html {
  const [first, last] = [values[0], values.at(-1)];
  if (values.length < 2 || first === undefined || last === undefined) return html``;
  const most = Math.max(1, ...values);
  const points = values.map((value, at) => {
    const x = (at / (values.length - 1)) * WIDTH;
    const y = HEIGHT - (value / most) * (HEIGHT - 2) - 1;
    return `${x.toFixed(1)} ${y.toFixed(1)}`;
  });
  const line = `M${points.join('L')}`;
  const said = `${name}: between ${Math.min(...values)} and ${Math.max(...values)}, now ${last}`;
  return html`<svg class="spark" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img"
aria-label="${said}"><path class="area" d="${line}L${WIDTH} ${HEIGHT}L0 ${HEIGHT}Z"/>\
<path class="line" d="${line}"/></svg>`;
}

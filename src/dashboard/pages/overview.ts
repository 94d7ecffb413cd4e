import { html, type Html } from '../../presentation/html.ts';
import { shown, link, live, section, table } from '../elements.ts';
import { fragmentsOf, type Fragments } from '../fragments.ts';
import type { Snapshot } from '../snapshot.ts';
import type { PoolSnapshot } from '../../http/admin/operators.ts';

export function overviewPage(snapshot: Snapshot): Html {
  const fragments = fragmentsOf(snapshot);
  const { pools, queue, nodes } = snapshot;
  return html`<section class="block" aria-label="What needs you">\
<div data-live="problems">${fragments.get('problems')}</div></section>
${section(
  'Pools',
  shown(pools, (all) => html`<ul class="cards">${all.map((pool) => card(pool, fragments))}</ul>`),
)}
<div class="halves">
${section(
  'Queue',
  shown(
    queue,
    () =>
      html`<p class="figures">\
<span><b>${fragment(fragments, 'queue.messages')}</b> tasks not done yet</span> \
<span><b>${fragment(fragments, 'queue.dead')}</b> dead</span></p>`,
  ),
  link('/queue', 'Tasks'),
)}
${section(
  'Nodes',
  shown(nodes, (all) =>
    table(
      'Nodes',
      ['Node', 'State', 'Instances'],
      all.map(({ name }) => [
        link(`/nodes/${encodeURIComponent(name)}`, name),
        fragment(fragments, `node.${name}.state`),
        fragment(fragments, `node.${name}.instances`),
      ]),
      'No node has said anything of itself so far.',
    ),
  ),
  link('/nodes', 'All about them'),
)}
</div>`;
}

function card({ template, stats }: PoolSnapshot, fragments: Fragments): Html {
  const value = (name: string): Html => fragment(fragments, `pool.${template}.${name}`);
  return html`<li class="card">
<div class="head"><h3><a href="/pools/${template}">${template}</a></h3>${value('mode')}</div>
<p class="big"><b>${value('ready')}</b> <span>of ${value('target')} ready</span></p>
${value('ready-line')}
<p class="demand">${value('demand')}</p>
<dl class="figures">${[
    ['with visitors', value('assigned')] as const,
    ['warming', value('warming')] as const,
    ['waiting', value('waiting')] as const,
    ['leaving', value('leaving')] as const,
    ['at most', html`${stats.capacity}`] as const,
  ].map(([name, figure]) => html`<div><dt>${name}</dt><dd>${figure}</dd></div>`)}</dl>
</li>`;
}

export function fragment(fragments: Fragments, key: string): Html {
  return live(key, fragments.get(key) ?? html`–`);
}

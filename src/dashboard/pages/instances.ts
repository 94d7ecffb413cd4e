import { describeRefusal } from '../../domain/frame-refusal.ts';
import { visitName } from '../../domain/ids.ts';
import { INSTANCE_STATES, type InstanceState } from '../../domain/lifecycle.ts';
import { seesIds } from '../../http/admin/ids-kept-back.ts';
import type { InstanceSnapshot } from '../../http/admin/operators.ts';
import { html, type Html } from '../../presentation/html.ts';
import {
  ago,
  ahead,
  badge,
  counted,
  empty,
  facts,
  link,
  notice,
  output,
  said,
  section,
  shown,
  table,
  type Tone,
} from '../elements.ts';
import { actForm, actions, choice, input } from '../forms.ts';
import type { View } from '../layout.ts';
import type { Part } from '../snapshot.ts';

const SHOWN = 200;
const TONES: Readonly<Record<InstanceState, Tone>> = {
  warming: 'quiet',
  ready: 'good',
  assigned: 'busy',
  releasing: 'quiet',
  quarantined: 'bad',
};

export interface InstanceSearch {
  /** In the id, the name of the visit, the address, the client or the container. */
  readonly q: string;
  readonly template: string;
  readonly state: string;
  readonly node: string;
}

export function instancesPage(
  view: View,
  all: readonly InstanceSnapshot[],
  search: InstanceSearch,
  known: { readonly templates: readonly string[]; readonly nodes: readonly string[] },
): Html {
  const found = all.filter((instance) => matches(view, instance, search.q));
  const options = (names: readonly string[], any: string) => [
    ['', any] as const,
    ...names.map((name) => [name, name] as const),
  ];
  return html`<form class="search" method="get" action="/instances" role="search">
${input('q', 'Id, address or client', { value: search.q })}
${choice('template', 'Template', options(known.templates, 'any'), search.template)}
${choice('state', 'State', options(INSTANCE_STATES, 'any'), search.state)}
${choice('node', 'Node', options(known.nodes, 'any'), search.node)}
<button>Search</button></form>
<p class="hint">${counted(found.length, 'instance', 'instances')}\
${found.length > SHOWN && html`; the oldest ${SHOWN} are shown, so search for less`}</p>
${table(
  'Instances',
  ['Instance', 'Template', 'State', 'Node', 'Made', 'Ends'],
  found
    .slice(0, SHOWN)
    .map(({ id, template, state, node, createdAtMs, deadlineMs }) => [
      html`<a class="id" href="/instances/${id}">${id}</a>`,
      link(`/pools/${encodeURIComponent(template)}`, template),
      badge(state, TONES[state]),
      said(node),
      ago(createdAtMs),
      state === 'assigned' && deadlineMs !== null ? ahead(deadlineMs) : '',
    ]),
  all.length === 0 ? 'There is no such instance right now.' : 'No instance matches. Search for something shorter.',
)}`;
}

/** An address that was made unclickable is found too. Who may not see ids cannot try their beginnings either. */
function matches({ caller }: View, { id, label, client, container }: InstanceSnapshot, q: string): boolean {
  const wanted = q.trim().toLowerCase();
  if (wanted === '') return true;
  const names = [...(seesIds(caller) ? [id] : []), visitName(id), container, client ?? ''];
  return names.some((name) => name.toLowerCase().includes(wanted)) || label.includes(wanted) || wanted.includes(label);
}

export function instancePage(view: View, instance: InstanceSnapshot, logs: Part<string>, tail: number): Html {
  const { id, template, state, node, container, port, createdAtMs, deadlineMs, client, url, reason, bare, failures } =
    instance;
  return html`${section(
    'What it is',
    html`${state === 'quarantined' && quarantine(reason)}${facts([
      ['State', badge(state, TONES[state])],
      ['Template', link(`/pools/${encodeURIComponent(template)}`, template)],
      ['Node', link(`/nodes/${encodeURIComponent(node)}`, said(node))],
      ['Container', html`<code>${said(container)}</code>`],
      ['Port', port ?? 'none'],
      ['Made', ago(createdAtMs)],
      ['Ends', deadlineMs === null ? undefined : ahead(deadlineMs)],
      ['Handed to', client === undefined ? undefined : html`<code>${said(client)}</code>`],
      ['Address', url === undefined ? undefined : html`<code>${url}</code>`],
      ['Without the bar, because', bare === undefined ? undefined : said(describeRefusal(bare))],
      ['Cleanups that failed', (failures ?? 0) === 0 ? undefined : failures],
    ])}`,
  )}
${section('Change', actions(view, [actForm(view, 'instance.release', { on: id, hidden: { template, state } })]))}
${section(
  'What its app wrote',
  html`<p class="hint">The last ${tail} lines. Hostile code may have written them; trust nothing they say.</p>${shown(
    logs,
    (text) => (text.trim() === '' ? empty('Nothing so far.') : output(text)),
  )}`,
  html`<a href="/instances/${id}?tail=${Math.min(5_000, tail * 5)}">More lines</a>`,
)}`;
}

function quarantine(reason: string | null | undefined): Html {
  return notice('bad', html`<p><strong>In quarantine:</strong> ${said(reason ?? 'its cleanup keeps failing')}.</p>`);
}

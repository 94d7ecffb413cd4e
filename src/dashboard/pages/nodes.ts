import type { NodeSnapshot } from '../../http/admin/operators.ts';
import { html, type Html } from '../../presentation/html.ts';
import { ago, ahead, counted, facts, link, notice, said, section, shown, table } from '../elements.ts';
import { actForm, actions, choice, input } from '../forms.ts';
import { fragmentsOf, type Fragments } from '../fragments.ts';
import type { View } from '../layout.ts';
import type { Snapshot } from '../snapshot.ts';
import { fragment } from './overview.ts';

export function nodesPage(snapshot: Snapshot): Html {
  const fragments = fragmentsOf(snapshot);
  return shown(snapshot.nodes, (nodes) =>
    table(
      'Nodes',
      ['Node', 'State', 'Heard', 'Instances', 'Free ports', 'Memory', 'Disk'],
      nodes.map(({ name, heartbeat }) => [
        link(`/nodes/${encodeURIComponent(name)}`, said(name)),
        fragment(fragments, `node.${name}.state`),
        fragment(fragments, `node.${name}.heard`),
        fragment(fragments, `node.${name}.instances`),
        fragment(fragments, `node.${name}.ports`),
        heartbeat?.memory === undefined ? 'unknown' : room(heartbeat.memory.available, heartbeat.memory.total),
        heartbeat?.disk === undefined ? 'unknown' : room(heartbeat.disk.free, heartbeat.disk.total),
      ]),
      'No node has said anything of itself so far.',
    ),
  );
}

export function nodePage(view: View, node: NodeSnapshot, snapshot: Snapshot): Html {
  const { name, heartbeat, state } = node;
  return html`${heartbeat === undefined && silence(node)}
${section('Now', nodeFacts(node, fragmentsOf(snapshot)))}
${section(
  'Change',
  actions(view, [
    state === 'active' ? actForm(view, 'node.cordon', { on: name }) : actForm(view, 'node.uncordon', { on: name }),
    actForm(view, 'node.drain', { on: name, inputs: input('within', 'End what is left there after', { hint: '30m' }) }),
    heartbeat !== undefined
      ? html``
      : actForm(view, 'node.remove', {
          on: name,
          inputs: choice('force', 'Instances that are recorded on it', [
            ['', 'keep it while there are any'],
            ['true', 'discard them'],
          ]),
        }),
  ]),
)}
${section(
  'What speaks against it',
  table(
    'Templates that are rather made elsewhere',
    ['Template', 'Why', 'Gets instances'],
    [...node.obstacles].map(([template, { reason, lastResort }]) => [
      template,
      said(reason),
      lastResort ? 'yes, as no other can make them' : 'no',
    ]),
    'It may get instances of every template.',
  ),
)}
${section(
  'Checkpoints',
  table(
    'Promoted checkpoints',
    ['Template', 'Checkpoint', 'State', 'More'],
    Object.entries(heartbeat?.arrivals ?? {}).map(([template, { checkpoint, state: how, detail }]) => [
      said(template),
      html`<span class="id">${said(checkpoint)}</span>`,
      how,
      said(detail),
    ]),
    'No checkpoint is promoted, or nothing is restored there.',
  ),
)}`;
}

function nodeFacts(node: NodeSnapshot, fragments: Fragments): Html {
  const { name, control, heartbeat, address } = node;
  const value = (figure: string): Html => fragment(fragments, `node.${name}.${figure}`);
  return facts([
    ['State', value('state')],
    ['Since', control.sinceMs === undefined ? undefined : ago(control.sinceMs)],
    ['What is left ends', control.deadlineMs === undefined ? undefined : ahead(control.deadlineMs)],
    ['Heard', value('heard')],
    ['Instances', html`${value('instances')} · ${link(`/instances?node=${encodeURIComponent(name)}`, 'List them')}`],
    ['Address', html`<code>${said(address ?? 'unknown')}</code>`],
    ['Free ports', html`${value('ports')}${heartbeat?.ports !== undefined && ` of ${heartbeat.ports}`}`],
    ['Runs', heartbeat === undefined ? undefined : `${said(heartbeat.engine)}, Try It Now ${said(heartbeat.program)}`],
    ['Processors', heartbeat?.cpus],
    ['Holds at most', heartbeat?.capacity ?? undefined],
    ['Labels', heartbeat === undefined ? undefined : said(heartbeat.labels.join(', ')) || 'none'],
    [
      'Memory available',
      heartbeat?.memory === undefined ? undefined : room(heartbeat.memory.available, heartbeat.memory.total),
    ],
    ['Disk free', heartbeat?.disk === undefined ? undefined : room(heartbeat.disk.free, heartbeat.disk.total)],
  ]);
}

function room(free: number, total: number): string {
  const gib = (bytes: number): string => (bytes / 2 ** 30).toFixed(1);
  return `${gib(free)} of ${gib(total)} GiB`;
}

function silence({ instances: { assigned, leaving } }: NodeSnapshot): Html {
  const visits = counted(assigned, 'visit there goes', 'visits there go');
  const waiting = counted(leaving, 'instance waits', 'instances wait');
  return notice(
    'bad',
    html`<p><strong>It is silent.</strong> ${visits} on if it comes back, and ${waiting} to be taken down there. \
Look whether its worker runs and reaches Valkey; if the host is gone for good, remove the node.</p>`,
  );
}

import type { DeadTask, QueuedTask, QueueInfo } from '../../http/admin/operators.ts';
import { html, type Html } from '../../presentation/html.ts';
import { ago, counted, empty, said, section, shown, table } from '../elements.ts';
import { actForm, choice } from '../forms.ts';
import { fragmentsOf } from '../fragments.ts';
import type { View } from '../layout.ts';
import type { Part, Snapshot } from '../snapshot.ts';
import { fragment } from './overview.ts';
import { failureReport } from './pool.ts';

interface Tasks {
  readonly tasks: Part<readonly QueuedTask[]>;
  readonly dead: Part<readonly DeadTask[]>;
}

export function queuePage(view: View, snapshot: Snapshot, { tasks, dead }: Tasks): Html {
  const fragments = fragmentsOf(snapshot);
  return html`${section(
    'Who works on it',
    shown(snapshot.queue, ({ consumers }) => consumerTable(consumers, (key) => fragment(fragments, key))),
  )}
<div id="dead">${section(
    'Dead tasks',
    shown(dead, (all) => deadList(view, all)),
    'value' in dead && dead.value.length > 1 ? actForm(view, 'queue.retry-all', {}) : undefined,
  )}</div>
${section(
  'Oldest tasks',
  shown(tasks, (all) => taskTable(view, all)),
)}
${purge(view)}`;
}

function consumerTable(consumers: QueueInfo['consumers'], value: (key: string) => Html): Html {
  return table(
    'Consumers',
    ['Consumer', 'Waiting', 'In flight', 'Redelivered', 'Free workers'],
    consumers.map(({ name }) => [
      html`<span class="id">${said(name)}</span>`,
      ...['pending', 'in-flight', 'redelivered', 'waiting'].map((figure) => value(`consumer.${name}.${figure}`)),
    ]),
    'There is no consumer: no worker has started so far.',
  );
}

function taskTable(view: View, tasks: readonly QueuedTask[]): Html {
  return table(
    'Oldest tasks',
    ['Task', 'Kind', 'Of', 'Instance', 'Queued', ''],
    tasks.map(({ sequence, kind, id, template, node, queuedAtMs }) => [
      sequence,
      kind,
      said(template ?? node ?? '?'),
      html`<span class="id">${said(id ?? 'unreadable')}</span>`,
      ago(queuedAtMs),
      actForm(view, 'queue.drop', { on: String(sequence), label: `Discard task ${sequence}` }),
    ]),
    'No task waits.',
  );
}

function deadList(view: View, tasks: readonly DeadTask[]): Html {
  if (tasks.length === 0) return empty('No task is dead.');
  return html`<ul class="reports">${tasks.map(
    ({ sequence, kind, id, template, reason, report, attempts, diedAtMs }) =>
      html`<li><p><strong>Task ${sequence}: ${kind}${template !== undefined && ` of ${said(template)}`}</strong></p>
${report === undefined ? html`<p>${said(reason)}.</p>` : failureReport(report)}
<p class="hint">Given up ${ago(diedAtMs)} after ${counted(attempts, 'try', 'tries')} · \
<span class="id">${said(id ?? 'unreadable')}</span></p>
<div class="actions">${deadForms(view, String(sequence))}</div></li>`,
  )}</ul>`;
}

function purge(view: View): Html {
  const form = actForm(view, 'queue.purge', {
    inputs: choice('which', 'All tasks of a kind', [
      ['provision', 'provision'],
      ['cleanup', 'cleanup'],
      ['dead', 'dead'],
    ]),
  });
  return form.text === '' ? form : section('Discard many', html`<div class="actions">${form}</div>`);
}

function deadForms(view: View, on: string): readonly Html[] {
  return [
    actForm(view, 'queue.retry', { on, label: `Retry task ${on}` }),
    actForm(view, 'queue.forget', { on, label: `Discard dead task ${on}` }),
  ];
}

import type { OperatorJob } from '../../domain/operator-job.ts';
import type { CatalogueState, CheckpointOverview } from '../../http/admin/operators.ts';
import { html, type Html } from '../../presentation/html.ts';
import { ago, badge, counted, empty, facts, liveBlock, said, section, shown, table } from '../elements.ts';
import { actForm, checkbox, choice, input } from '../forms.ts';
import type { View } from '../layout.ts';
import type { Part } from '../snapshot.ts';

type Promotion = CheckpointOverview['promotions'][number];
type Stored = CheckpointOverview['checkpoints'][number];

export function checkpointsPage(
  view: View,
  overview: Part<CheckpointOverview>,
  jobs: readonly OperatorJob[],
  catalogue: Part<CatalogueState>,
): Html {
  return html`${shown(overview, (found) =>
    found.enabled ? whole(view, found) : empty('CRIU_ENABLED is false, so every instance is started cold.'),
  )}
${section(
  'What operators began here',
  html`${liveBlock('jobs.checkpoint', jobList(jobs, 'checkpoint.'))}
${liveBlock('jobs.checkpoint.elsewhere', jobsElsewhere(catalogue, 'checkpoint.'))}`,
)}`;
}

function whole(view: View, { node, checkpoints, promotions }: CheckpointOverview): Html {
  return html`${section(
    'What templates are restored from',
    html`<div class="stack">${promotions.map((promotion) => ofTemplate(view, promotion))}</div>`,
  )}
${section(
  `On the disk of ${said(node)}`,
  table(
    'Checkpoints',
    ['Checkpoint', 'Template', 'Made', 'Size', 'State', ''],
    checkpoints.map((stored) => row(view, stored, promotions)),
    'There is no checkpoint on this host.',
  ),
)}
${create(view, promotions)}`;
}

function ofTemplate(view: View, { template, current, earlier, proven, failures, withdrawn }: Promotion): Html {
  const state =
    current === undefined
      ? badge('starts cold', 'quiet')
      : badge(proven ? 'in use' : 'not proven yet', proven ? 'good' : 'warn');
  return html`<div><h3>${template}</h3>${facts([
    ['State', state],
    ['Restored from', current === undefined ? undefined : html`<span class="id">${current}</span>`],
    ['Before', earlier[0] === undefined ? undefined : html`<span class="id">${earlier[0]}</span>`],
    ['Failed', failures === 0 ? undefined : counted(failures, 'restore', 'restores')],
    ['Taken out', withdrawn === undefined ? undefined : html`<span class="id">${withdrawn}</span>, did not restore`],
  ])}${
    current !== undefined &&
    html`<div class="actions">${actForm(view, 'checkpoint.rollback', {
      on: template,
      hidden: { to: earlier[0] ?? '' },
      label: `Roll ${template} back`,
    })}</div>`
  }</div>`;
}

function row(view: View, { id, metadata, problem }: Stored, promotions: readonly Promotion[]) {
  const on = { on: id };
  const usable = problem === undefined && metadata?.standsFor === undefined;
  return [
    html`<span class="id">${id}</span>`,
    said(metadata?.template ?? '?'),
    metadata === undefined ? '?' : ago(Date.parse(metadata.createdAt)),
    metadata === undefined ? '?' : `${Math.max(1, Math.round(metadata.sizeBytes / 1e6))} MB`,
    stateOf(id, metadata, problem, promotions),
    usable
      ? html`<div class="actions">${actForm(view, 'checkpoint.verify', { ...on, label: `Verify ${id}` })}\
${actForm(view, 'checkpoint.promote', { ...on, label: `Promote ${id}` })}</div>`
      : '',
  ];
}

function stateOf(
  id: string,
  metadata: Stored['metadata'],
  problem: string | undefined,
  promotions: readonly Promotion[],
): Html | string {
  if (problem !== undefined) return html`${badge('unreadable', 'bad')} ${said(problem)}`;
  if (metadata?.standsFor !== undefined) return `in place of ${metadata.standsFor}`;
  if (promotions.some(({ current }) => current === id)) return badge('promoted', 'good');
  if (promotions.some(({ withdrawn }) => withdrawn === id)) return badge('did not restore', 'bad');
  return promotions.some(({ earlier }) => earlier.includes(id)) ? 'promoted earlier' : 'not promoted';
}

function create(view: View, promotions: readonly Promotion[]): Html {
  const forms = [
    actForm(view, 'checkpoint.create', {
      inputs: html`${choice(
        'template',
        'Of template',
        promotions.map(({ template }) => [template, template]),
      )}${checkbox('promote', 'Verify and promote it, too')}`,
    }),
    actForm(view, 'checkpoint.prune', {
      inputs: input('keep', 'Of those that nothing is restored from, keep', { value: '1', type: 'number' }),
    }),
  ];
  return forms.every(({ text }) => text === '')
    ? html``
    : section('Make and delete', html`<div class="actions">${forms}</div>`);
}

/** How far what was begun is, and how it ended. */
export function jobList(jobs: readonly OperatorJob[], prefix: string): Html {
  const some = jobs.filter(({ action }) => action.startsWith(prefix));
  if (some.length === 0) return html`<span class="empty">Nothing since this server started.</span>`;
  return html`<ul class="jobs">${some.map(
    ({ action, on, who, state, said: words, startedAtMs, endedAtMs }) =>
      html`<li data-state="${state}">${badge(state, TONES[state])} <strong>${action}</strong> \
<span class="id">${said(on)}</span> <span>${said(words)}${state === 'running' ? '…' : '.'}</span>
<small>${said(who)}, ${ago(endedAtMs ?? startedAtMs)}</small></li>`,
  )}</ul>`;
}

/** What goes on in other servers: a load balancer may lead to this one now, and to that one with the next click. */
export function jobsElsewhere(catalogue: Part<CatalogueState>, prefix: string): Html {
  if (!('value' in catalogue)) return html``;
  const others = catalogue.value.processes.filter(({ own }) => !own);
  const some = others.flatMap(({ host, node, jobs = [] }) =>
    jobs.filter(({ action }) => action.startsWith(prefix)).map((job) => ({ ...job, host, node })),
  );
  if (some.length === 0) return html``;
  return html`<p class="hint">In other servers, which this page cannot look into further:</p>
<ul class="jobs">${some.map(
    ({ action, on, who, state, said: words, startedAtMs, endedAtMs, host, node }) =>
      html`<li data-state="${state}">${badge(state, TONES[state])} <strong>${said(action)}</strong> \
<span class="id">${said(on)}</span> on ${said(host)} (${said(node)}): \
<span>${said(words)}${state === 'running' ? '…' : '.'}</span>
<small>${said(who)}, ${ago(endedAtMs ?? startedAtMs)}</small></li>`,
  )}</ul>`;
}

const TONES = { running: 'busy', done: 'good', failed: 'bad' } as const;

import type { FailureReport } from '../../domain/failure-report.ts';
import type { PoolSnapshot } from '../../http/admin/operators.ts';
import { html, type Html } from '../../presentation/html.ts';
import {
  ago,
  ahead,
  capital,
  empty,
  facts,
  link,
  notice,
  output,
  said,
  section,
  shown,
  withCode,
} from '../elements.ts';
import { actForm, actions, input } from '../forms.ts';
import { fragmentsOf } from '../fragments.ts';
import type { View } from '../layout.ts';
import type { Part, Snapshot } from '../snapshot.ts';
import { fragment } from './overview.ts';

interface Failures {
  readonly failures: readonly FailureReport[];
  readonly unready: FailureReport | undefined;
}

export function poolPage(view: View, pool: PoolSnapshot, snapshot: Snapshot, failures: Part<Failures>): Html {
  const { template, sinceMs, deadlineMs, reason, stats, configuredTarget, breaker } = pool;
  const fragments = fragmentsOf(snapshot);
  const value = (name: string): Html => fragment(fragments, `pool.${template}.${name}`);
  return html`${section(
    'Now',
    html`${facts([
      ['State', value('mode')],
      ['Since', sinceMs === undefined ? undefined : ago(sinceMs)],
      ['Visitors are told', reason === undefined ? undefined : said(reason)],
      ['Ends by', deadlineMs === undefined ? undefined : ahead(deadlineMs)],
      [
        'Ready',
        html`${value('ready')} of ${value('target')}\
${stats.target !== configuredTarget && html` <small>(configured: ${configuredTarget})</small>`}`,
      ],
      ['With visitors', value('assigned')],
      ['Warming', value('warming')],
      ['Waiting in line', value('waiting')],
      ['Leaving', value('leaving')],
      ['At most', stats.capacity],
      ['Instances', link(`/instances?template=${encodeURIComponent(template)}`, 'List them')],
    ])}${breaker.open && breakerNotice(pool)}`,
  )}
${section(
  'The last half hour',
  html`<p>${value('demand')}</p>
<div class="lines"><div><p class="hint">Ready</p>${value('ready-line')}</div>
<div><p class="hint">With visitors</p>${value('out-line')}</div></div>`,
)}
${section('Change', controls(view, pool))}
${section(
  'Why starts failed',
  shown(failures, (found) => failureList(found)),
)}`;
}

function controls(view: View, { template, mode, stats, configuredTarget }: PoolSnapshot): Html {
  const reason = input('reason', 'Reason, which visitors see', { hint: 'Back at three' });
  return actions(view, [
    mode === 'open' ? html`` : actForm(view, 'pool.resume', { on: template }),
    actForm(view, 'pool.pause', { on: template, inputs: reason }),
    actForm(view, 'pool.drain', {
      on: template,
      inputs: html`${reason}${input('within', 'End what visitors hold after', { hint: 'by itself, or 10m' })}`,
    }),
    actForm(view, 'pool.scale', {
      on: template,
      inputs: input('target', `Ready at a time (configured: ${configuredTarget})`, {
        value: String(stats.target),
        type: 'number',
      }),
    }),
  ]);
}

function failureList({ failures, unready }: Failures): Html {
  if (failures.length === 0 && unready === undefined) return empty('No start has failed within a week.');
  return html`<ul class="reports">${
    unready !== undefined && html`<li>${failureReport(unready, 'Being started, and not ready so far')}</li>`
  }${failures.map((report) => html`<li>${failureReport(report)}</li>`)}</ul>`;
}

export function failureReport(
  { atMs, node, instance, code, reason, remedy, output: text, exitCode, signal }: FailureReport,
  heading?: string,
): Html {
  const end = signal ?? (exitCode === null ? undefined : `exit code ${exitCode}`);
  const cause = `${capital(said(reason))}.`;
  return html`<p><strong>${heading ?? cause}</strong>${heading !== undefined && ` ${cause}`}</p>
<p>${withCode(remedy)}.</p>
<p class="hint">${ago(atMs)} on ${said(node)} · ${said(instance)} · <code>${code}</code>\
${end !== undefined && ` · ${said(end)}`}</p>
${text !== '' && html`<details><summary>What the app wrote</summary>${output(text)}</details>`}`;
}

function breakerNotice({ breaker: { failures, pauseMs } }: PoolSnapshot): Html {
  const next = pauseMs > 0 ? html`One is tried ${ahead(Date.now() + pauseMs)}.` : html`One is being tried.`;
  return notice('bad', html`<p><strong>${failures} starts in a row failed.</strong> ${next} Why is below.</p>`);
}

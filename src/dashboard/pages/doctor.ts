import type { Diagnosed, Finding, OperatorJob } from '../../domain/operator-job.ts';
import type { CatalogueState } from '../../http/admin/operators.ts';
import { html, type Html } from '../../presentation/html.ts';
import { badge, counted, empty, exactly, liveBlock, said, section, withCode, type Tone } from '../elements.ts';
import { actForm, actions } from '../forms.ts';
import type { View } from '../layout.ts';
import type { Part } from '../snapshot.ts';
import { jobsElsewhere } from './checkpoints.ts';

const VERDICTS = {
  failure: { word: 'Failure', tone: 'bad' },
  warning: { word: 'Warning', tone: 'warn' },
  not_looked_at: { word: 'Unchecked', tone: 'quiet' },
  ok: { word: 'In order', tone: 'good' },
} as const satisfies Readonly<Record<Finding['verdict'], { word: string; tone: Tone }>>;

export function doctorPage(
  view: View,
  diagnosed: Diagnosed | undefined,
  jobs: readonly OperatorJob[],
  catalogue: Part<CatalogueState>,
): Html {
  return html`${section(
    'Look at every part',
    html`<p class="hint">From the host of this server: Valkey, NATS, the proxy, discovery, the engine, disks, nodes, \
pools. It changes nothing but for a trial of checkpoints, of which it leaves nothing.</p>
${actions(view, [actForm(view, 'doctor.run', {})])}
${liveBlock('doctor.progress', doctorProgress(jobs))}
${liveBlock('doctor.elsewhere', doctorElsewhere(catalogue))}`,
  )}
${liveBlock('doctor.findings', findingList(diagnosed))}`;
}

export function doctorProgress(jobs: readonly OperatorJob[]): Html {
  const job = jobs.find(({ action }) => action === 'doctor.run');
  if (job === undefined || job.state === 'done') return html``;
  const { state, said: words } = job;
  return state === 'running'
    ? html`${badge('running', 'busy')} ${said(words)}…`
    : html`${badge('failed', 'bad')} ${said(words)}.`;
}

/** What it found in other servers is in their dashboards: each looks from its own host. */
export function doctorElsewhere(catalogue: Part<CatalogueState>): Html {
  if (!('value' in catalogue)) return html``;
  const ran = catalogue.value.processes.flatMap(({ own, host, doctor }) =>
    own || doctor === undefined ? [] : [{ host, ...doctor }],
  );
  return html`${jobsElsewhere(catalogue, 'doctor.')}${ran.map(
    ({ host, atMs, failures }) =>
      html`<p class="hint">On ${said(host)} it found ${counted(failures, 'failure', 'failures')}, as of \
${exactly(atMs)}; the dashboard of that server says which, or ${withCode('`try-it-now doctor`')} there.</p>`,
  )}`;
}

export function findingList(diagnosed: Diagnosed | undefined): Html {
  if (diagnosed === undefined) return empty('It has not run since this server started.');
  const { atMs, findings } = diagnosed;
  const of = (verdict: Finding['verdict']) => findings.filter((finding) => finding.verdict === verdict);
  const needs = [...of('failure'), ...of('warning')];
  const [fine, unchecked] = [of('ok'), of('not_looked_at')];
  return section(
    'What it found',
    html`<p>As of ${exactly(atMs)}: \
${counted(of('failure').length, 'failure', 'failures')}, ${counted(of('warning').length, 'warning', 'warnings')}.</p>
${needs.length > 0 && list(needs)}
${unchecked.length > 0 && more(`Unchecked: ${unchecked.length}`, unchecked)}
${fine.length > 0 && more(`In order: ${fine.length}`, fine)}`,
  );
}

function more(summary: string, findings: readonly Finding[]): Html {
  return html`<details><summary>${summary}</summary>${list(findings)}</details>`;
}

function list(findings: readonly Finding[]): Html {
  return html`<ul class="findings">${findings.map(({ part, what, verdict, seen, remedy }) => {
    const { word, tone } = VERDICTS[verdict];
    return html`<li>${badge(word, tone)}<div><p><strong>${said(part)}, ${said(what)}</strong>: ${said(seen)}</p>\
${remedy !== undefined && html`<p class="hint">${withCode(remedy)}</p>`}</div></li>`;
  })}</ul>`;
}

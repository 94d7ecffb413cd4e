import type { NodeSnapshot, PoolSnapshot, PreviewSnapshot, QueueInfo } from '../http/admin/operators.ts';
import { html, type Html } from '../presentation/html.ts';
import { badge, counted, said, sentence, withCode, type Tone } from './elements.ts';
import { demandOf } from '../domain/pool-sample.ts';
import { sparkline } from './sparkline.ts';
import { jobList, jobsElsewhere } from './pages/checkpoints.ts';
import { doctorElsewhere, doctorProgress, findingList } from './pages/doctor.ts';
import { processTable } from './pages/templates.ts';
import { problemsOf } from './problems.ts';
import type { Snapshot } from './snapshot.ts';

/** What changes by itself on pages, by the name of its place there. */
export type Fragments = ReadonlyMap<string, Html>;

/** Of parts that do not answer there is none: what was read last stays, and the problems say so. */
export function fragmentsOf(snapshot: Snapshot): Fragments {
  const { pools, queue, nodes, catalogue, previews } = snapshot;
  return new Map<string, Html>([
    ['clock', clockOf(snapshot)],
    ['problems', problemList(snapshot)],
    ['jobs.checkpoint', jobList(snapshot.jobs, 'checkpoint.')],
    ['jobs.webhooks', jobList(snapshot.jobs, 'webhooks.')],
    ['doctor.progress', doctorProgress(snapshot.jobs)],
    ['doctor.findings', findingList(snapshot.diagnosed)],
    ...('value' in catalogue
      ? [
          ['templates.processes', processTable(catalogue)] as const,
          ['jobs.checkpoint.elsewhere', jobsElsewhere(catalogue, 'checkpoint.')] as const,
          ['jobs.webhooks.elsewhere', jobsElsewhere(catalogue, 'webhooks.')] as const,
          ['doctor.elsewhere', doctorElsewhere(catalogue)] as const,
        ]
      : []),
    ...('value' in pools ? pools.value.flatMap((pool) => [...ofPool(pool), ...ofHistory(pool, snapshot)]) : []),
    ...('value' in queue ? ofQueue(queue.value) : []),
    ...('value' in nodes ? nodes.value.flatMap(ofNode) : []),
    ...('value' in previews ? previews.value.flatMap(ofPreview) : []),
  ]);
}

export function clockOf({ atMs }: Pick<Snapshot, 'atMs'>): Html {
  return html`${new Date(atMs).toISOString().slice(11, 19)} UTC`;
}

function problemList(snapshot: Snapshot): Html {
  const problems = problemsOf(snapshot);
  if (problems.length === 0)
    return html`<span class="calm">${badge('In order', 'good')} Nothing needs you right now.</span>`;
  return html`<ul class="problems">${problems.map(
    ({ tone, text, path, remedy }) =>
      html`<li data-tone="${tone}">${badge(tone === 'bad' ? 'Critical' : 'Warning', tone)}\
<span>${path === undefined ? text : html`<a href="${path}">${text}</a>`}\
${remedy !== undefined && html` <small>${remedy}</small>`}</span></li>`,
  )}</ul>`;
}

function ofPool({ template, mode, stats, breaker, deadlineMs }: PoolSnapshot): (readonly [string, Html])[] {
  const entry = (name: string, value: Html | number): readonly [string, Html] => [
    `pool.${template}.${name}`,
    html`${value}`,
  ];
  const { ready, assigned, warming, waiting, leaving, target, capacity } = stats;
  return [
    entry('ready', ready),
    entry('target', target),
    entry('assigned', assigned),
    entry('warming', warming),
    entry('waiting', waiting),
    entry('leaving', leaving),
    entry('capacity', capacity),
    entry('mode', modeBadge(mode, breaker.open)),
    entry(
      'until',
      mode === 'draining' && deadlineMs !== undefined
        ? html`${assigned} left, until ${new Date(deadlineMs).toISOString().slice(11, 19)} UTC at most`
        : html``,
    ),
  ];
}

function ofHistory({ template }: PoolSnapshot, { history }: Snapshot): (readonly [string, Html])[] {
  const samples = history.get(template) ?? [];
  const { clicks, hitRate } = demandOf(samples);
  const hits = hitRate === undefined ? '' : `, ${Math.floor(hitRate * 100)} % served at once`;
  return [
    [
      `pool.${template}.ready-line`,
      sparkline(
        'Ready in the last half hour',
        samples.map(({ ready }) => ready),
      ),
    ],
    [
      `pool.${template}.out-line`,
      sparkline(
        'With visitors in the last half hour',
        samples.map(({ assigned }) => assigned),
      ),
    ],
    [`pool.${template}.demand`, html`${counted(clicks, 'click', 'clicks')} in half an hour${hits}`],
  ];
}

function modeBadge(mode: PoolSnapshot['mode'], breakerOpen: boolean): Html {
  if (mode !== 'open') return badge(mode, 'warn');
  return breakerOpen ? badge('starts fail', 'bad') : badge('open', 'good');
}

function ofQueue({ messages, dead, consumers }: QueueInfo): (readonly [string, Html])[] {
  return [
    ['queue.messages', html`${messages}`],
    ['queue.dead', dead === 0 ? html`0` : badge(String(dead), 'bad')],
    ...consumers.flatMap(({ name, pending, inFlight, redelivered, waitingPulls }): (readonly [string, Html])[] => [
      [`consumer.${name}.pending`, html`${pending}`],
      [`consumer.${name}.in-flight`, html`${inFlight}`],
      [`consumer.${name}.redelivered`, html`${redelivered}`],
      [`consumer.${name}.waiting`, html`${waitingPulls}`],
    ]),
  ];
}

function ofNode({
  name,
  state,
  heartbeat,
  heartbeatAgeMs,
  instances,
  freePorts,
}: NodeSnapshot): (readonly [string, Html])[] {
  const { ready, assigned, warming, leaving } = instances;
  return [
    [`node.${name}.state`, nodeBadge(state, heartbeat !== undefined)],
    [
      `node.${name}.heard`,
      html`${heartbeatAgeMs === undefined ? 'silent' : `${Math.round(heartbeatAgeMs / 1_000)} s ago`}`,
    ],
    [`node.${name}.instances`, html`${ready} ready, ${assigned} with visitors, ${warming} warming, ${leaving} leaving`],
    [`node.${name}.ports`, html`${freePorts}`],
  ];
}

function nodeBadge(state: NodeSnapshot['state'], alive: boolean): Html {
  if (!alive) return badge('silent', 'bad');
  return badge(said(state), state === 'active' ? 'good' : 'warn');
}

const PREVIEW_TONES: Readonly<Record<PreviewSnapshot['state'], Tone>> = {
  starting: 'busy',
  ready: 'good',
  failing: 'bad',
  refused: 'warn',
  ended: 'quiet',
};
/** Of why, so many characters. */
const SHOWN = 300;

function ofPreview({ name, state, why, ready, visitors }: PreviewSnapshot): (readonly [string, Html])[] {
  const because = why === undefined ? html`` : html` <small>${withCode(sentence(why, SHOWN))}</small>`;
  return [
    [`preview.${name}.state`, html`${badge(state, PREVIEW_TONES[state])}${because}`],
    [`preview.${name}.ready`, html`${ready}`],
    [`preview.${name}.visitors`, html`${visitors}`],
  ];
}

import { NO_NODE } from '../../domain/node.ts';
import type { CatalogueProcess, CatalogueState, PlannedChange, ReloadPlan } from '../../http/admin/operators.ts';
import { html, type Html } from '../../presentation/html.ts';
import {
  ago,
  badge,
  counted,
  inLines,
  link,
  liveBlock,
  notice,
  said,
  section,
  shown,
  table,
  withCode,
  type Tone,
} from '../elements.ts';
import { actForm, actions } from '../forms.ts';
import type { View } from '../layout.ts';
import type { Part } from '../snapshot.ts';

type Kind = PlannedChange['kind'];
const TONES: Readonly<Record<Kind, Tone>> = { added: 'good', changed: 'busy', removed: 'warn', unchanged: 'quiet' };

/** What a reload would change, and which process goes by what. */
export function templatesPage(view: View, plan: Part<ReloadPlan>, catalogue: Part<CatalogueState>): Html {
  const changes = 'value' in plan ? summary(plan.value) : '';
  return html`${section(
    'What a reload would change',
    html`<p class="hint">This server has read its files just now, and goes on as before. A reload has it go by them, \
and every other server and worker by the files of its own host. Visits go on as they began.</p>
${planned(plan)}
${actions(view, [actForm(view, 'templates.reload', { hidden: { changes } })])}`,
  )}
${section('Who goes by what', liveBlock('templates.processes', processTable(catalogue)))}`;
}

function planned(plan: Part<ReloadPlan>): Html {
  if ('trouble' in plan && plan.trouble.code === 'invalid_templates')
    return notice('bad', html`${inLines(plan.trouble.message)}<p>${withCode(plan.trouble.remedy)}</p>`);
  return shown(plan, ({ changes, warnings }) => {
    const changed = changes.filter(({ kind }) => kind !== 'unchanged');
    const rest = changes.length - changed.length;
    const staying = counted(rest, 'template stays as it is', 'templates stay as they are');
    return html`${warnings.map((warning) => notice('warn', `${said(warning)}.`))}${
      changed.length === 0
        ? html`<p>Nothing: the files say what this server goes by.</p>`
        : table(
            'Changes',
            ['Template', 'Change', 'Keys', 'Ready ones replaced', 'Visits that go on'],
            changed.map(row),
            '',
          )
    }${changed.length > 0 && rest > 0 && html`<p class="hint">${staying}.</p>`}`;
  });
}

function row(change: PlannedChange) {
  const { name, kind, replaced, visitors } = change;
  const keys = change.kind === 'changed' ? change.keys.join(', ') : '';
  return [
    said(name),
    badge(kind, TONES[kind]),
    keys === '' ? '' : html`<code>${said(keys)}</code>`,
    replaced,
    visitors,
  ];
}

/** For the question before it is done. */
function summary({ changes }: ReloadPlan): string {
  const of = (wanted: Kind): string => {
    const names = changes.flatMap(({ kind, name }) => (kind === wanted ? [name] : []));
    return names.length === 0 ? '' : `${wanted}: ${names.join(', ')}`;
  };
  const replaced = changes.reduce((sum, change) => sum + change.replaced, 0);
  const parts = [of('added'), of('changed'), of('removed')].filter((text) => text !== '');
  if (parts.length === 0) return '';
  return [...parts, `${counted(replaced, 'ready instance is', 'ready instances are')} replaced`].join('; ');
}

export function processTable(catalogue: Part<CatalogueState>): Html {
  return shown(catalogue, ({ processes }) => {
    const usual = mostUsual(processes);
    return table(
      'Servers and workers',
      ['Process', 'Node', 'Goes by', 'Since', 'State'],
      processes.map((each) => [
        html`${each.role} <span class="id">${said(each.host)}/${each.pid}</span>`,
        each.node === NO_NODE ? 'none' : link(`/nodes/${encodeURIComponent(each.node)}`, said(each.node)),
        html`<span class="id whole">${said(each.catalogue?.revision ?? 'not said')}</span>`,
        ago(each.catalogue?.sinceMs, ''),
        stateOf(each, usual),
      ]),
      'No server or worker says that it runs.',
    );
  });
}

function stateOf({ catalogue }: CatalogueProcess, usual: string | undefined): Html {
  if (catalogue === undefined) return html`${badge('unknown', 'quiet')} It is of an older version of Try It Now.`;
  if (catalogue.problem !== undefined)
    return html`${badge('refused', 'bad')} It goes by what was before. ${inLines(catalogue.problem)}`;
  return catalogue.revision === usual ? badge('same', 'good') : badge('other templates', 'warn');
}

/** What most go by; of two that as many go by, the newer one. */
function mostUsual(processes: readonly CatalogueProcess[]): string | undefined {
  const counts = new Map<string, { count: number; sinceMs: number }>();
  for (const { catalogue } of processes) {
    if (catalogue === undefined) continue;
    const { count, sinceMs } = counts.get(catalogue.revision) ?? { count: 0, sinceMs: 0 };
    counts.set(catalogue.revision, { count: count + 1, sinceMs: Math.max(sinceMs, catalogue.sinceMs) });
  }
  return [...counts].sort(([, a], [, b]) => b.count - a.count || b.sinceMs - a.sinceMs)[0]?.[0];
}

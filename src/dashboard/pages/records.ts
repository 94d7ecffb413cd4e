import type { AuditEntry } from '../../pool/interfaces/audit-log.ts';
import type { ListedSession } from '../../pool/interfaces/operator-sessions.ts';
import { html, type Html } from '../../presentation/html.ts';
import { ago, ahead, badge, exactly, said, table, type Tone } from '../elements.ts';
import { actForm } from '../forms.ts';
import type { View } from '../layout.ts';

/** Every other one is a code of an error. */
const TONES: Readonly<Record<string, Tone>> = { done: 'good', begun: 'busy' };

export function auditPage(entries: readonly AuditEntry[], limit: number): Html {
  return html`${table(
    'What operators did',
    ['When', 'Who', 'Action', 'On', 'Outcome'],
    entries.map(({ atMs, who, action, on, outcome }) => [
      html`${exactly(atMs)} <small>${ago(atMs)}</small>`,
      html`<span class="id">${said(who)}</span>`,
      said(action),
      html`<span class="id">${said(on)}</span>`,
      badge(said(outcome), TONES[outcome] ?? 'bad'),
    ]),
    'No operator has done anything yet.',
  )}${entries.length === limit && html`<p><a href="/audit?limit=${Math.min(10_000, limit * 5)}">Show more</a></p>`}`;
}

export function sessionsPage(view: View, sessions: readonly ListedSession[]): Html {
  return table(
    'Who is logged in',
    ['Who', 'Role', 'From', 'Since', 'Ends', ''],
    sessions.map(({ id, who, role, from, sinceMs, untilMs }) => [
      html`<span class="id">${said(who)}</span>${id === view.caller.session?.id && html` ${badge('you', 'quiet')}`}`,
      role,
      html`<code>${said(from)}</code>`,
      ago(sinceMs),
      ahead(untilMs),
      actForm(view, 'sessions.end', { on: id, hidden: { who }, label: `Log out ${said(who)}` }),
    ]),
    'Nobody is logged in with a browser.',
  );
}

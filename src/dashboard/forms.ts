import { ACTION_ROLES, mayAct } from '../domain/operator-role.ts';
import { html, type Html } from '../presentation/html.ts';
import { ACTS, type Act, type ActName } from './actions.ts';
import { said } from './elements.ts';
import type { Fields } from './form-fields.ts';
import type { View } from './layout.ts';

interface FormOptions {
  /** What it is done to. */
  readonly on?: string;
  /** What is to be filled in. */
  readonly inputs?: Html;
  /** What is sent along. */
  readonly hidden?: Fields;
  /** For who cannot see where the button stands. */
  readonly label?: string;
  readonly button?: string;
}

/** A form that acts; nothing for those whose role may not. */
export function actForm(
  { caller }: View,
  name: ActName,
  { on = '', inputs, hidden = {}, label, button }: FormOptions,
): Html {
  const act: Act = ACTS[name];
  if (!mayAct(caller.role, ACTION_ROLES[act.action])) return html``;
  return html`<form class="act" method="post" action="/act/${name}">\
${hiddenFields({ ...hidden, on, token: caller.session?.formToken ?? '' })}${inputs}\
<button${act.danger === true && html` class="danger"`}\
${label !== undefined && html` aria-label="${label}"`}>${button ?? act.button}</button></form>`;
}

export function hiddenFields(fields: Fields): readonly Html[] {
  return Object.entries(fields).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`);
}

export function input(
  name: string,
  label: string,
  more: { readonly hint?: string; readonly value?: string; readonly type?: string; readonly required?: true } = {},
): Html {
  return html`<label>${label}\
<input name="${name}" type="${more.type ?? 'text'}" value="${said(more.value ?? '')}" autocomplete="off"\
${more.hint !== undefined && html` placeholder="${more.hint}"`}${more.required === true && html` required`}></label>`;
}

export function choice(name: string, label: string, values: readonly (readonly [string, string])[], chosen = ''): Html {
  return html`<label>${label}<select name="${name}">${values.map(
    ([value, text]) => html`<option value="${value}"${value === chosen && html` selected`}>${text}</option>`,
  )}</select></label>`;
}

export function checkbox(name: string, label: string): Html {
  return html`<label class="check"><input type="checkbox" name="${name}" value="true">${label}</label>`;
}

/** Several forms side by side; what to say to who may use none of them. */
export function actions(view: View, forms: readonly Html[]): Html {
  if (forms.every(({ text }) => text === ''))
    return html`<p class="hint">Your role, ${view.caller.role}, may look at this and change nothing.</p>`;
  return html`<div class="actions">${forms}</div>`;
}

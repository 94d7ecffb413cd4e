import { ERROR_CATALOGUE, type TryItNowError } from '../../domain/errors.ts';
import { html, type Html } from '../../presentation/html.ts';
import type { Act, Fields } from '../actions.ts';
import { notice, said } from '../elements.ts';
import { hiddenFields } from '../forms.ts';

export interface LoginOptions {
  readonly next: string;
  /** Why the last try did not do. */
  readonly trouble: string | undefined;
}

export function loginPage({ next, trouble }: LoginOptions): Html {
  return html`<h1>Log in</h1>
${trouble !== undefined && notice('bad', trouble)}
<form class="login" method="post" action="/login"><input type="hidden" name="next" value="${next}">\
<label>Operator key\
<input name="key" type="password" autocomplete="current-password" required autofocus></label>\
<button>Log in</button></form>
<p class="hint">One of OPERATOR_KEYS of this server. <code>try-it-now up</code> prints where its own is.</p>`;
}

export function confirmPage(act: Act, name: string, question: string, fields: Fields, on: string): Html {
  return html`<p class="question">${said(question)}</p>
<div class="actions"><form class="act" method="post" action="/act/${name}">\
${hiddenFields({ ...fields, sure: 'yes' })}\
<button${act.danger === true && html` class="danger"`} autofocus>${act.button}</button></form>
<a class="button" href="${act.back(on)}">Cancel</a></div>`;
}

export function failureBody(error: TryItNowError, back: string, requestId: string): Html {
  const { title, remedy } = ERROR_CATALOGUE[error.code];
  return html`<h1>${title}</h1>
<p>${said(error.message)}.</p>
<p>${remedy}</p>
<p><a class="button" href="${back}">${error.retryable ? 'Try again' : 'Back'}</a></p>
<p class="hint"><code>${error.code}</code> · request ${requestId}</p>`;
}

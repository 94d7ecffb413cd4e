import { ERROR_CATALOGUE, type TryItNowError } from '../../domain/errors.ts';
import { html, type Html } from '../../presentation/html.ts';
import type { Act } from '../actions.ts';
import { inLines, notice, said, withCode } from '../elements.ts';
import type { Fields } from '../form-fields.ts';
import { hiddenFields } from '../forms.ts';

export interface LoginOptions {
  readonly next: string;
  readonly byKey: boolean;
  /** Who else lets people in, and where that begins. */
  readonly provider: { readonly name: string; readonly path: string } | undefined;
  /** Why the last try did not do. */
  readonly trouble?: string;
  /** Of who has just logged out. */
  readonly left?: LeftProvider;
}

export interface LeftProvider {
  readonly name: string;
  /** Where to log out there; undefined where that cannot be had. */
  readonly url: string | undefined;
}

export function loginPage({ next, byKey, provider, trouble, left }: LoginOptions): Html {
  return html`<h1>Log in</h1>
${left !== undefined && loggedOut(left)}
${trouble !== undefined && notice('bad', trouble)}
${
  provider !== undefined &&
  html`<p><a class="button main" href="${provider.path}?${new URLSearchParams({ next }).toString()}">\
Log in with ${provider.name}</a></p>`
}
${byKey && keyForm(next, provider === undefined)}`;
}

function keyForm(next: string, alone: boolean): Html {
  return html`<form class="login" method="post" action="/login"><input type="hidden" name="next" value="${next}">\
<label>Operator key\
<input name="key" type="password" autocomplete="current-password" required${alone && html` autofocus`}></label>\
<button${!alone && html` class="quiet"`}>Log in${!alone && html` by key`}</button></form>
<p class="hint">One of OPERATOR_KEYS of this server. <code>try-it-now up</code> prints where its own is.</p>`;
}

function loggedOut({ name, url }: LeftProvider): Html {
  const there =
    url === undefined
      ? html`Whoever has this browser may still be logged in at ${name}.`
      : html`This browser may still be logged in at ${name}: <a href="${url}">log out there too</a>.`;
  return notice('good', html`<p>You are logged out here. ${there}</p>`);
}

/**
 * After a log-in elsewhere. A page of ours has to lead on: browsers keep a strict cookie back from whatever another
 * site's redirect leads to.
 */
export function onwardPage(next: string): Html {
  return html`<h1>You are logged in</h1>
<p><a class="button" href="${next}" autofocus>Go on</a></p>`;
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
  const { message } = error;
  return html`<h1>${title}</h1>
${inLines(message.includes('\n') ? message : `${message}.`)}
${!message.includes(remedy.replace(/\.$/, '')) && html`<p>${withCode(remedy)}</p>`}
<p><a class="button" href="${back}">${error.retryable ? 'Try again' : 'Back'}</a></p>
<p class="hint"><code>${error.code}</code> · request ${requestId}</p>`;
}

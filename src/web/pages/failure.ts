import { ERROR_CATALOGUE, type ErrorCode, type TryItNowError } from '../../domain/errors.ts';
import { html, type Html } from '../../presentation/html.ts';
import type { MessageKey } from '../../presentation/languages/messages.ts';
import type { Translator } from '../../presentation/languages/translator.ts';
import type { Presentation } from '../presentation.ts';
import { page } from './layout.ts';

/** The codes that have words of their own for a visitor. */
type WordedCode = ErrorCode &
  (MessageKey extends infer Key ? (Key extends `failure.${infer C}.text` ? C : never) : never);

const WORDED: Readonly<Record<WordedCode, true>> = {
  hourly_limit: true,
  daily_limit: true,
  harm_limit: true,
  held_limit: true,
  banned: true,
  challenge_required: true,
  unknown_template: true,
  unknown_instance: true,
  landing_not_allowed: true,
  unknown_route: true,
  headers_too_large: true,
  foreign_origin: true,
  store_unavailable: true,
  queue_unavailable: true,
  pool_paused: true,
  pool_empty: true,
  shutting_down: true,
  internal_error: true,
  export_failed: true,
  export_too_large: true,
  export_busy: true,
};

/** A failure as a page, in words for a visitor. */
export function failurePage(parts: {
  readonly presentation: Presentation;
  readonly error: TryItNowError;
  readonly retryAfterSeconds: number | undefined;
  readonly requestId: string;
}): string {
  const { presentation, error, retryAfterSeconds, requestId } = parts;
  const { t } = presentation;
  const said = error.code === 'pool_paused' || error.code === 'banned' ? error.details?.['reason'] : undefined;
  const { wording, heading, text } = failureWords(t, error.code);
  const isOurFault = error.code !== 'pool_paused' && error.status >= 500;
  return page({
    presentation,
    title: heading,
    body: html`
<section class="panel">
<h1>${heading}</h1>
<p>${text}</p>
${wording === 'other' && html`<p><a href="/problems/${error.code}"><code>${error.code}</code></a></p>`}
${retryAfterSeconds !== undefined && untilThen(t, error.code, retryAfterSeconds)}
${
  typeof said === 'string' &&
  html`<p class="note">${t.html('home.operators_say', { reason: html`<q>${said}</q>` })}</p>`
}
<p><a class="button primary" href="/">${t.text('site.back')}</a></p>
${
  isOurFault &&
  html`<p class="waited">${t.html('failure.request_number', { number: html`<code>${requestId}</code>` })}</p>`
}
</section>`,
  });
}

/** What a visitor is told. `other` is said of what has no words of its own. */
export function failureWords(
  t: Translator,
  code: ErrorCode,
): { readonly wording: WordedCode | 'other'; readonly heading: string; readonly text: string } {
  const wording = isWorded(code) ? code : 'other';
  return { wording, heading: t.text(`failure.${wording}.heading`), text: t.text(`failure.${wording}.text`) };
}

function isWorded(code: ErrorCode): code is WordedCode {
  return Object.hasOwn(WORDED, code);
}

/** What the time to wait is the time until. */
function untilThen(t: Translator, code: ErrorCode, seconds: number): Html | undefined {
  const time = html`<strong>${t.duration(seconds)}</strong>`;
  const note = (text: Html): Html => html`<p class="note">${text}</p>`;
  if (code === 'held_limit') return note(t.html('failure.first_ends', { time }));
  if (code === 'banned') return note(t.html('failure.banned_for', { time }));
  return code === 'hourly_limit' || code === 'daily_limit' || code === 'harm_limit'
    ? note(t.html('failure.next_one', { time }))
    : undefined;
}

/** Where a problem's `type` leads: what the code means and what to do, in the language of the API. */
export function problemPage({
  presentation,
  code,
}: {
  readonly presentation: Presentation;
  readonly code: ErrorCode;
}): string {
  const { t } = presentation;
  const { title, remedy, status, retryable } = ERROR_CATALOGUE[code];
  return page({
    presentation,
    title: code,
    body: html`
<section class="panel">
<h1 lang="en" dir="ltr">${title}</h1>
<p>${t.html('problem.status', { code: html`<code>${code}</code>`, status })}</p>
<p lang="en" dir="ltr">${remedy}</p>
<p>${t.text(retryable ? 'problem.retryable' : 'problem.not_retryable')}</p>
</section>`,
  });
}

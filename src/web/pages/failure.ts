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
  template_ended: true,
  unknown_instance: true,
  landing_not_allowed: true,
  unknown_route: true,
  headers_too_large: true,
  foreign_origin: true,
  foreign_visit: true,
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

/** The codes whose words for a page speak of what only a page of ours has. */
type ComponentCode = (WordedCode | 'other') &
  (MessageKey extends infer Key ? (Key extends `kit.${infer C}` ? C : never) : never);

const WORDED_FOR_COMPONENT: Readonly<Record<ComponentCode, true>> = {
  held_limit: true,
  challenge_required: true,
  landing_not_allowed: true,
  foreign_origin: true,
  queue_unavailable: true,
  internal_error: true,
  other: true,
};

/** What the time to wait is the time until. */
const UNTIL: Readonly<Partial<Record<ErrorCode, 'failure.first_ends' | 'failure.banned_for' | 'failure.next_one'>>> = {
  held_limit: 'failure.first_ends',
  banned: 'failure.banned_for',
  hourly_limit: 'failure.next_one',
  daily_limit: 'failure.next_one',
  harm_limit: 'failure.next_one',
};

/** Between two tries of a frame that nobody can reload. */
const RETRY_SECONDS = 5;

/** A failure as a page, in words for a visitor. */
export function failurePage(parts: {
  readonly presentation: Presentation;
  readonly error: TryItNowError;
  readonly retryAfterSeconds: number | undefined;
  readonly requestId: string;
  /** In the frame of a visit that our web component shows. */
  readonly embedded?: boolean;
}): string {
  const { presentation, error, retryAfterSeconds, requestId, embedded = false } = parts;
  const comesBack = embedded && error.retryable && error.status >= 500;
  const { t } = presentation;
  const said = error.code === 'pool_paused' || error.code === 'banned' ? error.details?.['reason'] : undefined;
  const { wording, heading, text } = failureWords(t, error.code);
  const isOurFault = error.code !== 'pool_paused' && error.status >= 500;
  return page({
    presentation,
    title: heading,
    head: html`${comesBack && html`<meta http-equiv="refresh" content="${RETRY_SECONDS}">`}\
${embedded && html`<base target="_blank">`}`,
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
${comesBack && html`<p><a class="button primary" href="" target="_self">${t.text('waiting.again')}</a></p>`}
<p><a class="button ${comesBack ? 'quiet' : 'primary'}" href="/">${t.text('site.back')}</a></p>
${
  isOurFault &&
  html`<p class="waited">${t.html('failure.request_number', { number: html`<code>${requestId}</code>` })}</p>`
}
</section>`,
  });
}

/** What a page tells a visitor. `other` is said of what has no words of its own. */
function failureWords(
  t: Translator,
  code: ErrorCode,
): { readonly wording: WordedCode | 'other'; readonly heading: string; readonly text: string } {
  const wording = isWorded(code) ? code : 'other';
  return { wording, heading: t.text(`failure.${wording}.heading`), text: t.text(`failure.${wording}.text`) };
}

/** What the web component tells a visitor of another site, where nothing of our pages is at hand. */
export function componentWords(
  t: Translator,
  code: ErrorCode,
  retryAfterSeconds: number | undefined,
): { readonly heading: string; readonly text: string } {
  const { wording, heading, text } = failureWords(t, code);
  const said = isWordedForComponent(wording) ? t.text(`kit.${wording}`) : text;
  const until = UNTIL[code];
  if (until === undefined || retryAfterSeconds === undefined) return { heading, text: said };
  return { heading, text: `${said} ${t.text(until, { time: t.duration(retryAfterSeconds) })}` };
}

function isWordedForComponent(wording: WordedCode | 'other'): wording is ComponentCode {
  return Object.hasOwn(WORDED_FOR_COMPONENT, wording);
}

function isWorded(code: ErrorCode): code is WordedCode {
  return Object.hasOwn(WORDED, code);
}

function untilThen(t: Translator, code: ErrorCode, seconds: number): Html | undefined {
  const until = UNTIL[code];
  if (until === undefined) return undefined;
  return html`<p class="note">${t.html(until, { time: html`<strong>${t.duration(seconds)}</strong>` })}</p>`;
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

import type { Template } from '../../domain/template.ts';
import { html } from '../../presentation/html.ts';
import type { Translator } from '../../presentation/languages/translator.ts';
import type { Presentation } from '../presentation.ts';
import type { Waiting } from '../visits.ts';
import { withOpen } from '../way-in.ts';
import { page } from './layout.ts';

/** Between two looks of a browser without JavaScript. */
const REFRESH_SECONDS = 2;

export interface WaitingParts {
  readonly presentation: Presentation;
  readonly template: Template;
  readonly visitorToken: string;
  /** When the visitor clicked, in ms since the epoch. */
  readonly sinceMs: number;
  /** Where they want to land. */
  readonly open: string | undefined;
  readonly waitedSeconds: number;
  /** Undefined when nobody asked. */
  readonly waitingFor: Waiting['waitingFor'] | undefined;
  /** Being prepared right now; undefined when it is not known. */
  readonly warming: number | undefined;
}

/** Goes on by itself: the script polls; without it the page asks again, and is sent on when it is their turn. */
export function waitingPage(parts: WaitingParts): string {
  const { presentation, template, visitorToken, sinceMs, waitedSeconds, warming, waitingFor = 'preparing' } = parts;
  const { t } = presentation;
  return page({
    presentation,
    title: t.text('waiting.title', { app: template.title }),
    head: html`<noscript><meta http-equiv="refresh" content="${REFRESH_SECONDS}"></noscript>`,
    body: html`
<section class="panel" data-waiting data-waited="${waitedSeconds}" data-visitor="${visitorToken}"
  data-since="${sinceMs}" data-try-url="${withOpen(`/try/${encodeURIComponent(template.name)}`, parts.open)}"
  data-no-answer="${t.text('waiting.no_answer')}" data-no-connection="${t.text('waiting.no_connection')}">
<div class="pulse" aria-hidden="true"><span></span><span></span><span></span></div>
<h1>${t.text('waiting.heading', { app: template.title })}</h1>
<p>${t.text(`waiting.${waitingFor}`)}</p>
<p class="progress" role="status"><span data-progress>${progressText(t, parts.waitingFor, warming)}</span></p>
<p class="waited">${t.html('waiting.waited', {
      time: html`<span data-elapsed>${t.duration(waitedSeconds)}</span>`,
    })}</p>
<p><a class="button quiet" href="/">${t.text('site.back')}</a></p>
</section>`,
  });
}

/** What is really going on; nobody has a fixed place in a queue, so none is claimed. */
export function progressText(
  t: Translator,
  waitingFor: Waiting['waitingFor'] | undefined,
  warming: number | undefined,
): string {
  if (waitingFor === 'failing') return t.text('waiting.progress_failing');
  if (waitingFor === 'full') return t.text('waiting.progress_full');
  if (warming === undefined || warming === 0) return t.text('waiting.progress_looking');
  return t.text('waiting.progress_warming', { count: warming });
}

/** After minutes without one: says so and lets the visitor decide. */
export function gaveUpPage({
  presentation,
  template,
  visitorToken,
  waitedSeconds,
  open,
}: Omit<WaitingParts, 'warming' | 'waitingFor' | 'sinceMs'>): string {
  const { t } = presentation;
  return page({
    presentation,
    title: t.text('waiting.gave_up_title', { app: template.title }),
    body: html`
<section class="panel">
<h1>${t.text('waiting.gave_up_heading')}</h1>
<p>${t.text('waiting.gave_up_text', { app: template.title, time: t.duration(waitedSeconds) })}</p>
<form method="post" action="${withOpen(`/try/${encodeURIComponent(template.name)}`, open)}"
  data-try="${t.text('home.starting')}">
<input type="hidden" name="visitor" value="${visitorToken}">
<button class="primary">${t.text('waiting.again')}</button>
</form>
<p><a class="button quiet" href="/">${t.text('site.back')}</a></p>
</section>`,
  });
}

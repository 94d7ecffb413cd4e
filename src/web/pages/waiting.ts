import type { Template } from '../../domain/template.ts';
import { html } from '../../presentation/html.ts';
import type { Translator } from '../../presentation/languages/translator.ts';
import type { Presentation } from '../presentation.ts';
import type { Place } from '../../http/demos.ts';
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
  /** How they stand in the line; undefined when they have no place. */
  readonly place: Place | undefined;
}

/** Goes on by itself: the script polls; without it the page asks again, and is sent on when it is their turn. */
export function waitingPage(parts: WaitingParts): string {
  const { presentation, template, visitorToken, sinceMs, waitedSeconds, place } = parts;
  const reason = parts.waitingFor ?? waitingFor(place) ?? 'preparing';
  const query = new URLSearchParams({ visitor: visitorToken, since: String(sinceMs) }).toString();
  const { t } = presentation;
  const name = encodeURIComponent(template.name);
  return page({
    presentation,
    title: t.text('waiting.title', { app: template.title }),
    head: html`<noscript><meta http-equiv="refresh" content="${REFRESH_SECONDS}"></noscript>`,
    body: html`
<section class="panel" data-waiting data-waited="${waitedSeconds}" data-visitor="${visitorToken}"
  data-since="${sinceMs}" data-try-url="${withOpen(`/try/${name}`, parts.open)}"
  data-events-url="/wait/${name}/events?${query}"
  data-no-answer="${t.text('waiting.no_answer')}" data-no-connection="${t.text('waiting.no_connection')}">
<div class="pulse" aria-hidden="true"><span></span><span></span><span></span></div>
<h1>${t.text('waiting.heading', { app: template.title })}</h1>
<p>${t.text(`waiting.${reason}`)}</p>
<p class="progress" role="status"><span data-progress>${progressText(t, reason, place)}</span></p>
<p class="waited">${t.html('waiting.waited', {
      time: html`<span data-elapsed>${t.duration(waitedSeconds)}</span>`,
    })}</p>
<form method="post" action="/leave/${name}" data-end="/end/${name}">
<input type="hidden" name="visitor" value="${visitorToken}">
<button class="quiet">${t.text('waiting.leave')}</button>
</form>
</section>`,
  });
}

/** What a place is waited at for, in the page's words. */
export function waitingFor(place: Place | undefined): Waiting['waitingFor'] | undefined {
  return place?.reason === 'failing' || place?.reason === 'full' ? place.reason : undefined;
}

/** What is really going on: the place in the line and, where it is known, how long that takes. */
export function progressText(
  t: Translator,
  reason: Waiting['waitingFor'] | undefined,
  place: Place | undefined,
): string {
  const parts = [
    ...(place === undefined ? [] : [whereTheyStand(t, place)]),
    ...(reason === 'failing' || reason === 'full' ? [t.text(`waiting.progress_${reason}`)] : []),
  ];
  return parts.length === 0 ? t.text('waiting.progress_looking') : parts.join(' · ');
}

function whereTheyStand(t: Translator, { position, etaMs, reason, warming }: Place): string {
  const place = position === 1 ? t.text('waiting.next') : t.text('waiting.position', { position });
  if (etaMs === undefined)
    return reason === 'preparing' && warming > 0
      ? `${place} · ${t.text('waiting.progress_warming', { count: warming })}`
      : place;
  return `${place} · ${t.text('waiting.eta', { time: t.duration(roughSeconds(etaMs)) })}`;
}

/**
 * An estimate is no countdown: a number that changes each second says more than is known, and is read aloud each time.
 */
export function roughSeconds(ms: number): number {
  const seconds = Math.max(1, Math.ceil(ms / 1000));
  const step = seconds <= 10 ? 1 : seconds <= 60 ? 5 : 15;
  return Math.ceil(seconds / step) * step;
}

/** After minutes without one: says so and lets the visitor decide. */
export function gaveUpPage({
  presentation,
  template,
  visitorToken,
  waitedSeconds,
  open,
}: Omit<WaitingParts, 'place' | 'waitingFor' | 'sinceMs'>): string {
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

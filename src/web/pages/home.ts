import type { Template } from '../../domain/template.ts';
import { DIRECT_SITE } from '../../domain/visit-event.ts';
import { localText, type Logo } from '../../presentation/branding.ts';
import { html, type Html } from '../../presentation/html.ts';
import type { MessageKey } from '../../presentation/languages/messages.ts';
import type { Translator } from '../../presentation/languages/translator.ts';
import type { Presentation } from '../presentation.ts';
import { withOpen } from '../way-in.ts';
import { page } from './layout.ts';

export interface Offer {
  readonly template: Template;
  /** Of the template alone. */
  readonly logo: Logo | undefined;
  /** Where a link wants the visitor to land. */
  readonly open: string | undefined;
  /** Undefined when it is not known right now. */
  readonly readyCount: number | undefined;
  /** Operators hand nothing out for the moment; `endsInSeconds`: every running copy ends by then. */
  readonly pause: { readonly reason: string | undefined; readonly endsInSeconds: number | undefined } | undefined;
  /** The visitor's own running instance of it. */
  readonly held: { readonly url: string; readonly secondsLeft: number; readonly offersExport: boolean } | undefined;
}

/** What a form's outcome is told as, after the redirect back. */
export const NOTICES = {
  ended: { tone: 'good', key: 'home.notice_ended' },
  extended: { tone: 'good', key: 'home.notice_extended' },
  'others-wait': { tone: 'warn', key: 'home.notice_others_wait' },
  'extension-limit': { tone: 'warn', key: 'home.notice_extension_limit' },
  gone: { tone: 'warn', key: 'home.notice_gone' },
} as const satisfies Record<string, { readonly tone: string; readonly key: MessageKey }>;
export type Notice = keyof typeof NOTICES;

export const EXTEND_MINUTES = 15;
const TILE_HUES = 6;

export function homePage(parts: {
  readonly presentation: Presentation;
  readonly offers: readonly Offer[];
  readonly visitorToken: string;
  /** The site that the visitor comes from. */
  readonly site: string;
  readonly notice: Notice | undefined;
  /** Addresses that a click will need, fetched ahead of it. */
  readonly ahead: readonly string[];
  /** What a browser connects to ahead of a click; undefined where that is of no use. */
  readonly connectUrl: string | undefined;
}): string {
  const { presentation, offers, notice, ahead, connectUrl } = parts;
  const { t, brand } = presentation;
  const { callToAction: next, heading, intro } = brand;
  return page({
    presentation,
    body: html`
<section class="hero">
<h1>${
      heading === undefined
        ? t.html('home.heading', { emphasis: html`<em>${t.text('home.heading_emphasis')}</em>` })
        : localText(t, heading)
    }</h1>
<p>${intro === undefined ? t.text('home.intro') : localText(t, intro)}</p>
${next !== undefined && html`<p><a class="button quiet" href="${next.url}">${localText(t, next.text)}</a></p>`}
</section>
${
  notice !== undefined &&
  html`<p class="notice ${NOTICES[notice].tone}" role="status">${t.text(NOTICES[notice].key)}</p>`
}
<ul class="cards" role="list" data-ahead="${ahead.join(' ')}"\
${connectUrl !== undefined && html` data-connect="${connectUrl}"`}>
${offers.map((offer, index) => card(t, offer, index, formFields(parts)))}
</ul>`,
  });
}

function card(
  t: Translator,
  { template, logo, open, readyCount, pause, held }: Offer,
  index: number,
  fields: Html,
): Html {
  const path = encodeURIComponent(template.name);
  const state = held === undefined ? availability(t, readyCount, pause !== undefined) : timeLeft(t, held);
  const actions =
    held !== undefined
      ? heldActions(t, path, held, template.title)
      : pause === undefined && tryForm(t, withOpen(`/try/${path}`, open), fields, template.title);
  return html`<li class="card${held !== undefined && ' held'}">
<div class="card-head">
${
  logo === undefined
    ? html`<span class="tile hue-${index % TILE_HUES}" aria-hidden="true">${initial(t, template.title)}</span>`
    : html`<img class="tile" src="${logo.path}" alt="" width="48" height="48">`
}
<div><h2>${template.title}</h2>${state}</div>
</div>
<p class="about">${template.description}</p>
<p class="terms">${terms(t, template)}</p>
${pause !== undefined && pauseNote(t, pause, held !== undefined)}
${actions}
</li>`;
}

function availability(t: Translator, readyCount: number | undefined, paused: boolean): Html | undefined {
  if (paused) return html`<p class="state paused">${t.text('home.paused')}</p>`;
  if (readyCount === undefined) return undefined;
  return readyCount > 0
    ? html`<p class="state ready">${t.text('home.ready')}</p>`
    : html`<p class="state warming">${t.text('home.warming')}</p>`;
}

/** What is so, in words for a visitor, with the operators' own where they gave some. */
function pauseNote(t: Translator, { reason, endsInSeconds }: NonNullable<Offer['pause']>, held: boolean): Html {
  const yours =
    endsInSeconds === undefined
      ? t.text('home.pause_held')
      : t.text('home.pause_held_ending', { time: t.duration(endsInSeconds) });
  return html`<p class="pause" role="note">${held ? yours : t.text('home.pause')}${
    reason !== undefined && html`<br>${t.html('home.operators_say', { reason: html`<q>${reason}</q>` })}`
  }</p>`;
}

function terms(t: Translator, { ttl }: Template): string {
  const time = t.duration(Math.round(ttl.defaultMs / 1000));
  return ttl.maxMs > ttl.defaultMs
    ? t.text('home.terms_extendable', { time, longest: t.duration(Math.round(ttl.maxMs / 1000)) })
    : t.text('home.terms', { time });
}

/** Who clicks and where they come from, for browsers that do not tell. */
export function formFields({ visitorToken, site }: { readonly visitorToken: string; readonly site: string }): Html {
  return html`<input type="hidden" name="visitor" value="${visitorToken}">\
${siteField(site)}`;
}

export function siteField(site: string): Html | false {
  return site !== DIRECT_SITE && html`<input type="hidden" name="site" value="${site}">`;
}

function tryForm(t: Translator, action: string, fields: Html, title: string): Html {
  return html`<form method="post" action="${action}" data-try="${t.text('home.starting')}">
${fields}
<button class="primary" aria-label="${t.text('home.try_label', { app: title })}">${t.text('home.try')}</button>
</form>`;
}

function timeLeft(t: Translator, { secondsLeft }: NonNullable<Offer['held']>): Html {
  const time = html`<span data-time-left>${t.duration(secondsLeft)}</span>`;
  return html`<p class="state running" data-seconds-left="${secondsLeft}">\
<span>${t.html('home.time_left', { time })}</span></p>`;
}

function heldActions(
  t: Translator,
  path: string,
  { url, offersExport }: NonNullable<Offer['held']>,
  app: string,
): Html {
  const seconds = EXTEND_MINUTES * 60;
  const longer = t.text('home.extend_label', { app, time: t.duration(seconds) });
  return html`<div class="actions">
<a class="button primary" href="${url}" aria-label="${t.text('home.open_label', { app })}">${t.text('home.open')}</a>
<form method="post" action="/extend/${path}">\
<button class="quiet" aria-label="${longer}">${t.text('home.extend', { time: t.duration(seconds) })}</button></form>
${
  offersExport &&
  html`<form method="post" action="/export/${path}">\
<button class="quiet" aria-label="${t.text('home.export_label', { app })}">${t.text('home.export')}</button></form>`
}
<form method="post" action="/end/${path}">\
<button class="quiet danger" aria-label="${t.text('home.end_label', { app })}">${t.text('home.end')}</button></form>
</div>`;
}

/** The first character as a person counts them, so that an emoji or an accented letter stays whole. */
function initial(t: Translator, title: string): string {
  const [first] = new Intl.Segmenter(t.tag).segment(title);
  return first?.segment.toLocaleUpperCase(t.tag) ?? '';
}

import type { Template } from '../../domain/template.ts';
import type { AssetUrls } from '../assets.ts';
import { inWords } from '../duration.ts';
import { html, type Html } from '../html.ts';
import { withOpen } from '../way-in.ts';
import { page } from './layout.ts';

export interface Offer {
  readonly template: Template;
  /** Where a link wants the visitor to land. */
  readonly open: string | undefined;
  /** Undefined when it is not known right now. */
  readonly readyCount: number | undefined;
  /** Operators hand nothing out for the moment; `endsInSeconds`: every running copy ends by then. */
  readonly pause: { readonly reason: string | undefined; readonly endsInSeconds: number | undefined } | undefined;
  /** The visitor's own running instance of it. */
  readonly held: { readonly url: string; readonly secondsLeft: number } | undefined;
}

/** What a form's outcome is told as, after the redirect back. */
export const NOTICES = {
  ended: { tone: 'good', text: 'Ended. Everything in that copy is gone.' },
  extended: { tone: 'good', text: 'Done: you have more time.' },
  'extension-limit': { tone: 'warn', text: 'This copy has reached its longest stay and cannot be kept any longer.' },
  gone: { tone: 'warn', text: 'That copy had already ended.' },
} as const;
export type Notice = keyof typeof NOTICES;

export const EXTEND_MINUTES = 15;
const TILE_HUES = 6;

export function homePage(parts: {
  readonly assets: AssetUrls;
  readonly offers: readonly Offer[];
  readonly visitorToken: string;
  readonly notice: Notice | undefined;
}): string {
  const { assets, offers, visitorToken, notice } = parts;
  return page({
    title: 'Try It Now',
    assets,
    body: html`
<section class="hero">
<h1>A running app of your own, <em>one click away</em></h1>
<p>No sign-up, nothing to install. Pick one, and you are in a fresh copy that belongs to you alone until its
time is up.</p>
</section>
${notice !== undefined && html`<p class="notice ${NOTICES[notice].tone}" role="status">${NOTICES[notice].text}</p>`}
<ul class="cards" role="list">
${offers.map((offer, index) => card(offer, index, visitorToken))}
</ul>`,
  });
}

function card({ template, open, readyCount, pause, held }: Offer, index: number, visitorToken: string): Html {
  const path = encodeURIComponent(template.name);
  const state = held === undefined ? availability(readyCount, pause !== undefined) : timeLeft(held);
  const actions =
    held !== undefined
      ? heldActions(path, held.url, template.title)
      : pause === undefined && tryForm(withOpen(`/try/${path}`, open), visitorToken, template.title);
  return html`<li class="card${held !== undefined && ' held'}">
<div class="card-head">
<span class="tile hue-${index % TILE_HUES}" aria-hidden="true">${initial(template.title)}</span>
<div><h2>${template.title}</h2>${state}</div>
</div>
<p class="about">${template.description}</p>
<p class="terms">${terms(template)}</p>
${pause !== undefined && pauseNote(pause, held !== undefined)}
${actions}
</li>`;
}

function availability(readyCount: number | undefined, paused: boolean): Html | undefined {
  if (paused) return html`<p class="state paused">Paused</p>`;
  if (readyCount === undefined) return undefined;
  return readyCount > 0
    ? html`<p class="state ready">Ready now</p>`
    : html`<p class="state warming">Ready in a moment</p>`;
}

/** What is so, in words for a visitor, with the operators' own where they gave some. */
function pauseNote({ reason, endsInSeconds }: NonNullable<Offer['pause']>, held: boolean): Html {
  const yours =
    endsInSeconds === undefined
      ? 'No new copies are handed out for now. Yours stays until its time is up.'
      : `No new copies are handed out for now. Yours ends in ${inWords(endsInSeconds)} at the latest.`;
  return html`<p class="pause" role="note">${
    held ? yours : 'No copies are handed out for the moment. Please come back a little later.'
  }${reason !== undefined && html`<br>The operators say: <q>${reason}</q>`}</p>`;
}

function terms({ ttl }: Template): string {
  const first = inWords(Math.round(ttl.defaultMs / 1000));
  return ttl.maxMs > ttl.defaultMs
    ? `Yours for ${first}, up to ${inWords(Math.round(ttl.maxMs / 1000))} if you like`
    : `Yours for ${first}`;
}

function tryForm(action: string, visitorToken: string, title: string): Html {
  return html`<form method="post" action="${action}" data-try>
<input type="hidden" name="visitor" value="${visitorToken}">
<button class="primary" aria-label="Try it now: ${title}">Try it now</button>
</form>`;
}

function timeLeft({ secondsLeft }: NonNullable<Offer['held']>): Html {
  return html`<p class="state running" data-seconds-left="${secondsLeft}"><span>Yours · \
<span data-time-left>${inWords(secondsLeft)}</span> left</span></p>`;
}

function heldActions(path: string, url: string, title: string): Html {
  return html`<div class="actions">
<a class="button primary" href="${url}" aria-label="Open your copy of ${title}">Open yours</a>
<form method="post" action="/extend/${path}">\
<button class="quiet" aria-label="Keep your copy of ${title} ${EXTEND_MINUTES} minutes longer">+${EXTEND_MINUTES} min\
</button></form>
<form method="post" action="/end/${path}">\
<button class="quiet danger" aria-label="End your copy of ${title}">End it</button></form>
</div>`;
}

/** The first character as a person counts them, so that an emoji or an accented letter stays whole. */
function initial(title: string): string {
  const [first] = new Intl.Segmenter().segment(title);
  return first?.segment.toUpperCase() ?? '';
}

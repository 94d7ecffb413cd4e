import type { Template } from '../../domain/template.ts';
import type { AssetUrls } from '../assets.ts';
import { inWords } from '../duration.ts';
import { html } from '../html.ts';
import type { Waiting } from '../visits.ts';
import { withOpen } from '../way-in.ts';
import { page } from './layout.ts';

/** Between two looks of a browser without JavaScript. */
const REFRESH_SECONDS = 2;

export interface WaitingParts {
  readonly assets: AssetUrls;
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

const LEADS: Readonly<Record<Waiting['waitingFor'], string>> = {
  preparing:
    'Every warm copy was taken just now. A fresh one usually takes a few seconds, and you go in as soon as it is ' +
    'ready. There is nothing to click.',
  failing:
    'The last copies could not be started. That is our fault, not yours; it is tried again by itself, and you go in ' +
    'as soon as one is ready.',
  full: 'As many copies as there is room for are in use. You go in as soon as one has ended and a fresh one is ready.',
};

/** Goes on by itself: the script polls; without it the page asks again, and is sent on when it is their turn. */
export function waitingPage(parts: WaitingParts): string {
  const { assets, template, visitorToken, sinceMs, waitedSeconds, warming, waitingFor = 'preparing' } = parts;
  return page({
    title: `Preparing ${template.title} · Try It Now`,
    assets,
    head: html`<noscript><meta http-equiv="refresh" content="${REFRESH_SECONDS}"></noscript>`,
    body: html`
<section class="panel" data-waiting data-waited="${waitedSeconds}" data-visitor="${visitorToken}"
  data-since="${sinceMs}" data-try-url="${withOpen(`/try/${encodeURIComponent(template.name)}`, parts.open)}">
<div class="pulse" aria-hidden="true"><span></span><span></span><span></span></div>
<h1>Preparing your ${template.title}</h1>
<p>${LEADS[waitingFor]}</p>
<p class="progress" role="status"><span data-progress>${progressText(parts.waitingFor, warming)}</span></p>
<p class="waited">Waiting for <span data-elapsed>${inWords(waitedSeconds)}</span></p>
<p><a class="button quiet" href="/">Back to the start</a></p>
</section>`,
  });
}

/** What is really going on; nobody has a fixed place in a queue, so none is claimed. */
export function progressText(waitingFor: Waiting['waitingFor'] | undefined, warming: number | undefined): string {
  if (waitingFor === 'failing') return 'The last starts failed; it is tried again';
  if (waitingFor === 'full') return 'All copies are in use; waiting for room for another';
  if (warming === undefined || warming === 0) return 'Looking for a copy';
  return warming === 1 ? 'One copy is being prepared' : `${warming} copies are being prepared`;
}

/** After minutes without one: says so and lets the visitor decide. */
export function gaveUpPage({
  assets,
  template,
  visitorToken,
  waitedSeconds,
  open,
}: Omit<WaitingParts, 'warming' | 'waitingFor' | 'sinceMs'>): string {
  return page({
    title: `${template.title} is not ready yet · Try It Now`,
    assets,
    body: html`
<section class="panel">
<h1>This takes longer than it should</h1>
<p>No copy of ${template.title} became ready within ${inWords(waitedSeconds)}, so we stopped trying.
That is our fault, not yours.</p>
<form method="post" action="${withOpen(`/try/${encodeURIComponent(template.name)}`, open)}" data-try>
<input type="hidden" name="visitor" value="${visitorToken}">
<button class="primary">Try again</button>
</form>
<p><a class="button quiet" href="/">Back to the start</a></p>
</section>`,
  });
}

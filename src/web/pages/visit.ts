import { EXPLAINED_REASONS, type ExplainedReason } from '../../domain/instance.ts';
import type { Template } from '../../domain/template.ts';
import { localText, type Brand } from '../../presentation/branding.ts';
import { html, type Html } from '../../presentation/html.ts';
import type { MessageKey } from '../../presentation/languages/messages.ts';
import type { Translator } from '../../presentation/languages/translator.ts';
import { STORAGE_CHECK_PATH } from '../../presentation/storage-check.ts';
import type { Presentation } from '../presentation.ts';
import { withOpen } from '../way-in.ts';
import { EXTEND_MINUTES } from './home.ts';
import { head, mark } from './layout.ts';

export interface VisitParts {
  readonly presentation: Presentation;
  readonly template: Template;
  readonly token: string;
  readonly visitorToken: string | undefined;
  /** Where the visitor came from; undefined: nowhere that is told apart. */
  readonly site: string | undefined;
  /** The instance's own, without a path. */
  readonly origin: string;
  /** Of the start page: the only one of ours that instances let frame them. */
  readonly publicOrigin: string;
  readonly secondsLeft: number;
  /** What is in it can be downloaded. */
  readonly offersExport: boolean;
  /** Where the app is to open. */
  readonly open: string | undefined;
  /** Where a page of another site shows this one by our web component. */
  readonly embedded: Embedding | undefined;
}

/** Above the page that embeds it, below a title bar of the component's own; or in the flow of it. */
export const EMBEDDINGS = ['modal', 'inline'] as const;
type Embedding = (typeof EMBEDDINGS)[number];

/** What browsers let an app in a frame do if asked to; named with the app's origin, for it comes by a redirect. */
export const DELEGATED: readonly string[] = [
  'autoplay',
  'clipboard-read',
  'clipboard-write',
  'encrypted-media',
  'fullscreen',
  'gamepad',
  'picture-in-picture',
  'screen-wake-lock',
];
/** All that apps do but leading the whole page elsewhere. */
const SANDBOX = [
  'allow-downloads',
  'allow-forms',
  'allow-modals',
  'allow-orientation-lock',
  'allow-pointer-lock',
  'allow-popups',
  'allow-popups-to-escape-sandbox',
  'allow-presentation',
  'allow-same-origin',
  'allow-scripts',
  'allow-storage-access-by-user-activation',
];
/** With a click it may do that too, but not to the page of another site. */
const OWN_SANDBOX = [...SANDBOX, 'allow-top-navigation-by-user-activation'];

/** What is said of an end before its time. */
const WHY_ENDED = {
  unused: 'visit.was_unused',
  disk_limit: 'visit.disk_limit',
  output_limit: 'visit.output_limit',
  cpu_limit: 'visit.cpu_limit',
  database_limit: 'visit.database_limit',
  process_limit: 'visit.process_limit',
  container_lost: 'visit.container_lost',
  drained: 'visit.drained',
  node_drained: 'visit.node_drained',
  node_lost: 'visit.node_lost',
  operator: 'visit.operator',
} as const satisfies Readonly<Record<ExplainedReason, MessageKey>>;

/** Where the frame may lead: our own way in, which redirects, and the instance. */
export function frameSources({ token, origin }: Pick<VisitParts, 'token' | 'origin'>, publicOrigin: string): string {
  return `${publicOrigin}/visit/${token}/open ${origin}`;
}

/** The app in a frame, below a bar with what its visitor can do. Without scripts the browser goes straight in. */
export function visitPage(parts: VisitParts): string {
  const { presentation, template, token, origin, secondsLeft, open, embedded } = parts;
  const { t, assets } = presentation;
  const app = template.title;
  const longer = EXTEND_MINUTES * 60;
  const sandbox = embedded === undefined ? OWN_SANDBOX : SANDBOX;
  const more = t.text('visit.extend', { time: t.duration(longer) });
  const visit = `/visit/${token}`;
  const way = withOpen(`${visit}/open`, open);
  return html`<!doctype html>
<html lang="${t.tag}" dir="${t.direction}">
<head>
${head({ presentation, title: app })}
<link rel="stylesheet" href="${assets['visit.css']}">
<script src="${assets['visit.js']}" defer></script>
<noscript><meta http-equiv="refresh" content="0; url=${way}"></noscript>
</head>
<body class="visit" data-visit="${visit}" data-storage-check="${origin}${STORAGE_CHECK_PATH}" \
data-seconds-left="${secondsLeft}" data-host="${new URL(parts.publicOrigin).host}" \
data-texts="${JSON.stringify(scriptTexts(t))}"\
${template.idle !== undefined && html` data-warn-seconds="${Math.round(template.idle.warnMs / 1000)}"`}\
${embedded !== undefined && html` data-embedded="${embedded}"`}>
<a class="skip" href="#app">${t.text('visit.skip')}</a>
<header class="bar" data-bar>
<a class="home" href="/" aria-label="${t.text('site.back')}"${ownTab(embedded)}>\
${mark(presentation)}</a>
<h1 class="app-name">${template.title}</h1>
<p class="clock"><span data-clock-label>${t.text('visit.time_left')}</span> \
<strong data-clock>${t.duration(secondsLeft)}</strong></p>
<button class="quiet" type="button" data-extend \
aria-label="${more}: ${t.text('visit.extend_label', { time: t.duration(longer, 'long') })}">${more}</button>
<button class="primary" type="button" data-stay hidden>${t.text('visit.stay')}</button>
<button class="quiet more" type="button" data-more aria-expanded="false" aria-controls="tools">\
${t.text('visit.more')}</button>
<div class="tools" id="tools" data-tools>
<button class="quiet" type="button" data-share>${t.text('visit.share')}</button>
<a class="button quiet" href="${way}" target="_blank" rel="noreferrer">${t.text('visit.own_tab')}</a>
${exportForm(parts, 'quiet')}
<button class="quiet danger" type="button" data-end>${t.text('visit.end')}</button>
${leadLink(parts)}
${callToAction(parts, 'primary')}
</div>
</header>
${notes(parts, way)}
<main id="app" tabindex="-1">
<noscript><p class="way-in"><a class="button primary" href="${way}">${t.text('visit.open', { app })}</a></p></noscript>
<iframe data-src="${way}" title="${template.title}" sandbox="${sandbox.join(' ')}" referrerpolicy="no-referrer"
  allow="${DELEGATED.map((ability) => `${ability} ${origin}`).join('; ')}"></iframe>
${endedPanel(parts)}
</main>
${shareDialog(t, origin)}
${endDialog(t)}
</body>
</html>
`.text;
}

/** Our other pages are nobody else's to frame. */
function ownTab(embedded: Embedding | undefined): Html | false {
  return embedded !== undefined && html` target="_blank"`;
}

/** Where visitors may go on to: the template's own, else what the branding says. */
export function callToActionOf(
  { callToAction }: Template,
  { brand }: Pick<Presentation, 'brand'>,
): Template['callToAction'] | Brand['callToAction'] {
  return callToAction ?? brand.callToAction;
}

function callToAction({ presentation, template, token }: VisitParts, look: string): Html | false {
  const wanted = callToActionOf(template, presentation);
  if (wanted === undefined) return false;
  const text = typeof wanted.text === 'string' ? wanted.text : localText(presentation.t, wanted.text);
  // A redirect to a mail program is not followed everywhere, so such a one is not counted.
  const url = wanted.url.startsWith('mailto:')
    ? wanted.url
    : `/visit/${token}/next/${encodeURIComponent(template.name)}`;
  return html`<a class="button ${look} cta" href="${url}" target="_blank" rel="noopener">${text}</a>`;
}

/** What the script says, and what goes with it. */
function notes(parts: VisitParts, way: string): Html {
  const { t } = parts.presentation;
  return html`<div class="notes">
<p class="said" role="status" data-said></p>
${exportForm(parts, 'primary', html` data-export-now hidden`)}
</div>
<div class="notes">
<p class="said offer" role="status" data-offer hidden>\
<span data-offer-text></span> <a class="button quiet" href="${way}" target="_blank" rel="noreferrer">\
${t.text('visit.offer_tab')}</a> \
<button class="quiet" type="button" data-decline>${t.text('visit.offer_declined')}</button></p>
</div>`;
}

/** In a tab of its own, which a download does not fill: a failure's page must not take the app's place. */
function exportForm({ presentation: { t }, token, offersExport }: VisitParts, look: string, more?: Html): Html | false {
  return (
    offersExport &&
    html`<form method="post" action="/visit/${token}/export" target="_blank"${more}>\
<button class="${look}">${t.text('visit.export')}</button></form>`
  );
}

/** In a tab of its own, so that nothing of the app is lost. */
function leadLink({ presentation: { t }, template, token }: VisitParts): Html | false {
  return (
    template.lead?.ask === 'during' &&
    html`<a class="button quiet" href="/visit/${token}/lead" target="_blank">${t.text('lead.open')}</a>`
  );
}

function endedPanel(parts: VisitParts): Html {
  const { presentation, template, visitorToken, site, embedded, offersExport } = parts;
  const { t } = presentation;
  return html`<section class="panel" data-ended hidden>
<h1 tabindex="-1">${t.text('visit.ended_heading', { app: template.title })}</h1>
<p>${t.text('visit.ended_text')}</p>
${EXPLAINED_REASONS.map((limit) => html`<p class="note" data-limit="${limit}" hidden>${t.text(WHY_ENDED[limit])}</p>`)}
${offersExport && html`<p class="note">${t.text('visit.export_missed')}</p>`}
<form method="post" action="/try/${encodeURIComponent(template.name)}" data-again>
${visitorToken !== undefined && html`<input type="hidden" name="visitor" value="${visitorToken}">`}
${site !== undefined && html`<input type="hidden" name="site" value="${site}">`}
<button class="primary">${t.text('visit.again')}</button>
</form>
${leadLink(parts)}
${callToAction(parts, 'quiet')}
<p><a class="button quiet" href="/"${ownTab(embedded)}>${t.text('site.back')}</a></p>
</section>`;
}

function shareDialog(t: Translator, origin: string): Html {
  return html`<dialog data-share-dialog aria-labelledby="share-title">
<h2 id="share-title">${t.text('visit.share_heading')}</h2>
<p>${t.text('visit.share_text')}</p>
<input type="text" dir="ltr" readonly value="${origin}/" \
aria-label="${t.text('visit.share_address')}" data-share-address>
<p class="buttons"><button class="primary" type="button" data-copy>${t.text('visit.copy')}</button>\
<button class="quiet" type="button" data-close>${t.text('visit.close')}</button></p>
<p role="status" data-copied></p>
</dialog>`;
}

function endDialog(t: Translator): Html {
  return html`<dialog data-end-dialog aria-labelledby="end-title">
<h2 id="end-title">${t.text('visit.end_heading')}</h2>
<p>${t.text('visit.end_text')}</p>
<p class="buttons"><button class="primary danger" type="button" data-end-now>${t.text('visit.end_now')}</button>\
<button class="quiet" type="button" data-close autofocus>${t.text('visit.keep')}</button></p>
</dialog>`;
}

/** What the script says while the page is open. */
function scriptTexts(t: Translator): Readonly<Record<string, string>> {
  return {
    timeLeft: t.text('visit.time_left'),
    ending: t.text('visit.ending'),
    ended: t.text('visit.ended'),
    fiveMinutes: t.text('visit.five_minutes'),
    oneMinute: t.text('visit.one_minute'),
    unused: t.text('visit.unused'),
    extended: t.text('visit.extended'),
    stays: t.text('visit.stays'),
    extensionLimit: t.text('visit.extension_limit'),
    othersWait: t.text('visit.others_wait'),
    foreign: t.text('visit.foreign'),
    banned: t.text('failure.banned.heading'),
    foreignOrigin: t.text('failure.foreign_origin.heading'),
    noAnswer: t.text('visit.no_answer'),
    copied: t.text('visit.copied'),
    notCopied: t.text('visit.not_copied'),
    blocked: t.text('visit.blocked'),
    slow: t.text('visit.slow'),
    noStorage: t.text('visit.no_storage'),
  };
}

import { readFileSync } from 'node:fs';
import { colorProperties, siteTitle, type Brand } from '../presentation/branding.ts';
import { html, Html } from '../presentation/html.ts';
import type { Languages } from '../presentation/languages/languages.ts';
import type { Translator } from '../presentation/languages/translator.ts';
import { BRAND_MARK, HOURGLASS, CLOCK, PLUG, PULSE } from './pages/signs.ts';

interface LanguagePage {
  readonly tag: string;
  readonly html: string;
}

/** What is answered in place of an instance, to people and to programs. */
export interface ProxyPage {
  readonly status: number;
  /** For people, by language; the first for who asks for none that there is. */
  readonly pages: readonly [LanguagePage, ...LanguagePage[]];
  readonly problem: string;
  /** The one script in its pages, for their content security policy. */
  readonly script: string;
  /** Its Retry-After. */
  readonly retrySeconds?: number;
}

/** What all of them share. */
export interface ProxyPageOptions {
  readonly languages: Languages;
  readonly branding: Brand;
  /** The start page, with a slash at its end. */
  readonly startUrl: string;
}

/** Seconds between two tries of the page for an instance that does not answer; also its Retry-After. */
const RETRY_SECONDS = 3;
/** The same for one whose host is gone: that takes longer, and visitors have something else to do. */
const LOST_RETRY_SECONDS = 5;

/** Stands in a page for the label of the instance that was asked for. */
export const LABEL_PLACE = 'label-of-the-instance';

/**
 * Our web component shows the visit in a page of another site, and its sandbox keeps the app from leading that whole
 * page elsewhere. Two frames up is then not one. Links open in tabs there; another copy is the visit's page to get.
 */
const FRAMED_SCRIPT = `if (parent !== top)
  for (const link of document.links) {
    link.target = '_blank';
    link.addEventListener('click', (event) => {
      if (!link.hasAttribute('data-again')) return;
      event.preventDefault();
      parent.postMessage({ tryItNow: 'again' }, '*');
    });
  }`;

/**
 * Leaves the page as it is until there is something else to show: one that reloads every few seconds interrupts whoever
 * has it read out. A page is known by its Retry-After.
 */
function retryScript(seconds: number): string {
  return `const again = () => setTimeout(async () => {
  const answer = await fetch(location.href, { headers: { accept: 'text/html' }, redirect: 'manual' }).catch(() => null);
  if (answer === null || (answer.status === 503 && answer.headers.get('retry-after') === '${seconds}')) again();
  else location.reload();
}, ${seconds * 1_000});
again();`;
}

/**
 * There is no instance of that name. 404 and not 410: the proxy knows only that nobody answers to the name now, while
 * a 410 tells caches and crawlers that this is for ever.
 */
export function endedPage(options: ProxyPageOptions): ProxyPage {
  const { startUrl } = options;
  return {
    status: 404,
    script: FRAMED_SCRIPT,
    pages: inEachLanguage(options, (t) => ({
      title: t.text('ended.title'),
      body: html`${HOURGLASS}
<h1>${t.text('ended.title')}</h1>
<p>${t.text('ended.text')}</p>
<p>${t.text('ended.reload')}</p>
<a class="button primary" href="${startUrl}" target="_top">${t.text('ended.start')}</a>`,
    })),
    problem: problem(
      404,
      'unknown_hostname',
      'There is nothing at this address',
      `The copy has ended, or the address is mistyped. Start a new one at ${startUrl}`,
    ),
  };
}

/** The name is known, but nothing takes the connection. 503 and not 502, because that is what Retry-After goes with. */
export function unreachablePage(options: ProxyPageOptions): ProxyPage {
  return retriedPage(RETRY_SECONDS, {
    pages: ({ head, script }) =>
      inEachLanguage(options, (t) => ({
        title: t.text('unreachable.title'),
        head,
        script,
        body: html`${PULSE}
<h1>${t.text('unreachable.title')}</h1>
<p>${t.text('unreachable.text')}</p>
<p role="status">${t.text('unreachable.retry', { time: t.duration(RETRY_SECONDS, 'long') })}</p>
<a class="button quiet" href="${options.startUrl}" target="_top">${t.text('ended.start')}</a>`,
      })),
    problem: problem(
      503,
      'instance_unreachable',
      'The copy does not answer right now',
      'It is busy or starting again, or it has just ended. Try again in a few seconds.',
    ),
  });
}

/** The host that holds the instance is gone. The button leads to another instance of its template, in place of it. */
export function lostPage(options: ProxyPageOptions): ProxyPage {
  return retriedPage(LOST_RETRY_SECONDS, {
    pages: ({ head, script }) =>
      inEachLanguage(options, (t) => ({
        title: t.text('lost.title'),
        head,
        script,
        body: html`${PLUG}
<h1>${t.text('lost.title')}</h1>
<p>${t.text('lost.text')}</p>
<p>${t.text('lost.back')}</p>
<a class="button primary" href="${options.startUrl}again/${LABEL_PLACE}" target="_top" \
data-again>${t.text('lost.again')}</a>`,
      })),
    problem: problem(
      503,
      'instance_host_lost',
      'The server that holds the copy does not answer',
      `It may come back, and the copy with it. Another one in its place: ${options.startUrl}again/${LABEL_PLACE}`,
    ),
  });
}

/** One that goes on by itself as soon as there is something else to show, with a script or without. */
function retriedPage(
  retrySeconds: number,
  {
    pages,
    problem: body,
  }: {
    readonly pages: (again: Required<Pick<Content, 'head' | 'script'>>) => ProxyPage['pages'];
    readonly problem: string;
  },
): ProxyPage {
  const script = `${FRAMED_SCRIPT}\n${retryScript(retrySeconds)}`;
  const head = html`<noscript><meta http-equiv="refresh" content="${retrySeconds}"></noscript>`;
  return {
    status: 503,
    pages: pages({ head, script }),
    script,
    retrySeconds,
    problem: body,
  };
}

/**
 * The instance took the request and gave no answer. 504, without Retry-After and without a page that reloads by itself:
 * what was asked may still be under way, and more of it would not help an app that hangs.
 */
export function silentPage(options: ProxyPageOptions, limitMs: number): ProxyPage {
  const limitSeconds = Math.ceil(limitMs / 1_000);
  return {
    status: 504,
    script: FRAMED_SCRIPT,
    pages: inEachLanguage(options, (t) => ({
      title: t.text('silent.title'),
      body: html`${CLOCK}
<h1>${t.text('silent.title')}</h1>
<p>${t.text('silent.text', { time: t.duration(limitSeconds, 'long') })}</p>
<p>${t.text('silent.reload')}</p>
<a class="button primary" href="${options.startUrl}" target="_top">${t.text('site.back')}</a>`,
    })),
    problem: problem(
      504,
      'instance_silent',
      'The copy took the request but did not answer',
      `Nothing came back within ${limitSeconds} seconds. The app hangs, or needs longer; what you asked for may ` +
        'still be done.',
    ),
  };
}

interface Content {
  readonly title: string;
  readonly head?: Html;
  readonly body: Html;
  readonly script?: string;
}

function inEachLanguage(options: ProxyPageOptions, content: (t: Translator) => Content): ProxyPage['pages'] {
  const written = (t: Translator) => ({ tag: t.tag, html: frame(options, t, content(t)) });
  const [first, ...others] = options.languages.all;
  return [written(first), ...others.map((t) => written(t))];
}

/** One self-contained page: what it shows must not depend on any server that may be down. */
function frame({ startUrl, branding }: ProxyPageOptions, t: Translator, content: Content): string {
  const { title, head, body, script = FRAMED_SCRIPT } = content;
  const { logo, colors } = branding;
  const site = siteTitle(t, branding);
  // From the start page: where that is down, only the picture is missing.
  const mark =
    logo === undefined
      ? BRAND_MARK
      : html`<img src="${new URL(logo.path, startUrl).href}" alt="" width="${logo.width}" height="${logo.height}">`;
  return html`<!doctype html>
<html lang="${t.tag}" dir="${t.direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="theme-color" media="(prefers-color-scheme: light)" content="${colors.light.ground}">
<meta name="theme-color" media="(prefers-color-scheme: dark)" content="${colors.dark.ground}">
<meta name="robots" content="noindex">
${head}
<title>${title} · ${site}</title>
<style>${new Html(colorProperties(colors))}${new Html(STYLE)}</style>
</head>
<body>
<header><a class="brand" href="${startUrl}" target="_top">${mark}${site}</a></header>
<main><section>
${body}
</section></main>
<script>${new Html(script)}</script>
</body>
</html>
`.text;
}

const STYLE = readFileSync(new URL('./pages/page.css', import.meta.url), 'utf8');

function problem(status: number, code: string, title: string, detail: string): string {
  return `${JSON.stringify({ type: 'about:blank', title, status, detail, code })}\n`;
}

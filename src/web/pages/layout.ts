import { html, type Html } from '../../presentation/html.ts';
import type { Presentation } from '../presentation.ts';

export interface PageParts {
  readonly presentation: Presentation;
  /** Before the name of the site; the start page has none. */
  readonly title?: string;
  readonly body: Html;
  readonly head?: Html;
}

/** What every page of ours has in its head. */
export function head({ presentation: { t, assets }, title }: Pick<PageParts, 'presentation' | 'title'>): Html {
  const site = t.text('site.title');
  return html`<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="theme-color" media="(prefers-color-scheme: light)" content="#f6f7fb">
<meta name="theme-color" media="(prefers-color-scheme: dark)" content="#0e1118">
<title>${title === undefined ? site : `${title} · ${site}`}</title>
<link rel="icon" href="${assets['icon.svg']}" type="image/svg+xml">
<link rel="stylesheet" href="${assets['page.css']}">`;
}

/** A whole page. Styles and script are files of our own, because the content security policy allows nothing inline. */
export function page({ presentation, body, head: more, ...parts }: PageParts): string {
  const { t, assets } = presentation;
  return html`<!doctype html>
<html lang="${t.tag}" dir="${t.direction}">
<head>
${head({ presentation, ...parts })}
<script src="${assets['page.js']}" defer></script>
${more}
</head>
<body>
<a class="skip" href="#main">${t.text('site.skip')}</a>
<header class="top"><a class="brand" href="/">\
<img src="${assets['icon.svg']}" alt="" width="28" height="28">${t.text('site.title')}</a></header>
<main id="main">
${body}
</main>
<footer class="bottom"><p>${t.text('site.promise')}</p>\
<p><a href="/api/openapi.json">${t.text('site.api')}</a></p></footer>
</body>
</html>
`.text;
}

import { html, type Html } from '../../presentation/html.ts';
import { localText, logoPath, siteTitle } from '../../presentation/branding.ts';
import type { Presentation } from '../presentation.ts';

export interface PageParts {
  readonly presentation: Presentation;
  /** Before the name of the site; the start page has none. */
  readonly title?: string;
  readonly body: Html;
  readonly head?: Html;
}

/** What every page of ours has in its head. */
export function head({ presentation, title }: Pick<PageParts, 'presentation' | 'title'>): Html {
  const { t, branding, assets } = presentation;
  const { colors } = branding;
  const site = siteTitle(t, branding);
  return html`<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="theme-color" media="(prefers-color-scheme: light)" content="${colors.light.ground}">
<meta name="theme-color" media="(prefers-color-scheme: dark)" content="${colors.dark.ground}">
<title>${title === undefined ? site : `${title} · ${site}`}</title>
<link rel="icon" href="${assets['icon.svg']}" type="image/svg+xml">
<link rel="stylesheet" href="${assets['page.css']}">`;
}

/** A whole page. Styles and script are files of our own, because the content security policy allows nothing inline. */
export function page({ presentation, body, head: more, ...parts }: PageParts): string {
  const { t, branding, assets } = presentation;
  const { logo, legal, links } = branding;
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
<img src="${logo === undefined ? assets['icon.svg'] : logoPath(logo)}" alt="" \
width="${logo?.width ?? 28}" height="${logo?.height ?? 28}">${siteTitle(t, branding)}</a></header>
<main id="main">
${body}
</main>
<footer class="bottom"><p>${legal === undefined ? t.text('site.promise') : localText(t, legal)}</p>\
<p class="links">${links.map(({ text, url }) => html`<a href="${url}">${localText(t, text)}</a> `)}\
<a href="/embed">${t.text('site.embed')}</a> <a href="/api/openapi.json">${t.text('site.api')}</a></p></footer>
</body>
</html>
`.text;
}

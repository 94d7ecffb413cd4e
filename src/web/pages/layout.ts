import { html, type Html } from '../../presentation/html.ts';
import { localText, siteTitle } from '../../presentation/branding.ts';
import type { Presentation } from '../presentation.ts';

const ICON_SIZE = 28;

export interface PageParts {
  readonly presentation: Presentation;
  /** Before the name of the site; the start page has none. */
  readonly title?: string;
  readonly body: Html;
  readonly head?: Html;
}

/** What every page of ours has in its head. */
export function head({ presentation, title }: Pick<PageParts, 'presentation' | 'title'>): Html {
  const { t, brand, assets } = presentation;
  const { colors } = brand;
  const site = siteTitle(t, brand);
  return html`<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="theme-color" media="(prefers-color-scheme: light)" content="${colors.light.ground}">
<meta name="theme-color" media="(prefers-color-scheme: dark)" content="${colors.dark.ground}">
<title>${title === undefined ? site : `${title} · ${site}`}</title>
<link rel="icon" href="${assets['icon.svg']}" type="image/svg+xml">
<link rel="stylesheet" href="${assets['page.css']}">`;
}

/** The picture that stands for whoever offers the apps. */
export function mark({ brand: { logo }, assets }: Presentation): Html {
  const { path = assets['icon.svg'], width = ICON_SIZE, height = ICON_SIZE } = logo ?? {};
  return html`<img src="${path}" alt="" width="${width}" height="${height}">`;
}

/** A whole page. Styles and script are files of our own, because the content security policy allows nothing inline. */
export function page({ presentation, body, head: more, ...parts }: PageParts): string {
  const { t, brand, assets } = presentation;
  const { legal, links, abuse } = brand;
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
${mark(presentation)}${siteTitle(t, brand)}</a></header>
<main id="main">
${body}
</main>
<footer class="bottom"><p>${legal === undefined ? t.text('site.promise') : localText(t, legal)}</p>\
<p class="links">${links.map(({ text, url }) => html`<a href="${url}">${localText(t, text)}</a> `)}\
${abuse === undefined ? '' : html`<a href="${abuse}">${t.text('site.abuse')}</a> `}\
<a href="/embed">${t.text('site.embed')}</a> <a href="/api/openapi.json">${t.text('site.api')}</a></p></footer>
</body>
</html>
`.text;
}

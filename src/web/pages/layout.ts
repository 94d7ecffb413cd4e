import type { AssetUrls } from '../assets.ts';
import { html, type Html } from '../html.ts';

export interface PageParts {
  readonly title: string;
  readonly assets: AssetUrls;
  readonly body: Html;
  readonly head?: Html;
}

/** A whole page. Styles and script are files of our own, because the content security policy allows nothing inline. */
export function page({ title, assets, body, head }: PageParts): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="theme-color" media="(prefers-color-scheme: light)" content="#f6f7fb">
<meta name="theme-color" media="(prefers-color-scheme: dark)" content="#0e1118">
<title>${title}</title>
<link rel="icon" href="${assets['icon.svg']}" type="image/svg+xml">
<link rel="stylesheet" href="${assets['page.css']}">
<script src="${assets['page.js']}" defer></script>
${head}
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top"><a class="brand" href="/">\
<img src="${assets['icon.svg']}" alt="" width="28" height="28">Try It Now</a></header>
<main id="main">
${body}
</main>
<footer class="bottom"><p>Every copy is private to the one who started it, and gone when its time is up.</p>\
<p><a href="/api/openapi.json">API</a></p></footer>
</body>
</html>
`.text;
}

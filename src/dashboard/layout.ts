import type { Caller } from '../http/admin/callers.ts';
import { html, type Html } from '../presentation/html.ts';
import type { AssetUrls } from './assets.ts';
import { notice } from './elements.ts';

const NAVIGATION = [
  ['/', 'Overview'],
  ['/instances', 'Instances'],
  ['/queue', 'Queue'],
  ['/nodes', 'Nodes'],
  ['/templates', 'Templates'],
  ['/previews', 'Previews'],
  ['/images', 'Images'],
  ['/checkpoints', 'Checkpoints'],
  ['/networks', 'Networks'],
  ['/webhooks', 'Webhooks'],
  ['/audit', 'Audit'],
  ['/doctor', 'Doctor'],
] as const;
const ADMIN_NAVIGATION = [['/sessions', 'Logins']] as const;

export interface View {
  readonly caller: Caller;
  readonly assets: AssetUrls;
  /** What was just done. */
  readonly done: string | undefined;
}

export interface PageParts {
  readonly title: string;
  /** The entry of the navigation that it belongs to; itself without one. */
  readonly place: string;
  readonly body: Html;
  readonly aside?: Html | undefined;
  /** Whether something on it changes by itself. */
  readonly live?: true;
}

/** A page for who is logged in. */
export function page({ caller, assets, done }: View, { title, place, body, aside, live }: PageParts): string {
  const entries = [...NAVIGATION, ...(caller.role === 'admin' ? ADMIN_NAVIGATION : [])];
  return document(
    assets,
    title,
    html`<a class="skip" href="#main">Skip to the content</a>
<div class="shell">
<header class="top"><a class="brand" href="/">\
<img src="${assets['icon.svg']}" alt="" width="24" height="24">Try It Now</a>
<button class="menu" popovertarget="navigation">Menu</button></header>
<nav id="navigation" popover aria-label="Pages">
<ul>${entries.map(
      ([path, name]) => html`<li><a href="${path}"${path === place && html` aria-current="page"`}>${name}</a></li>`,
    )}</ul>
<div class="who"><p><span class="name">${caller.who}</span><span class="role">${caller.role}</span></p>
<form method="post" action="/logout"><input type="hidden" name="token" value="${caller.session?.formToken}">\
<button class="quiet">Log out</button></form></div>
</nav>
<main id="main" tabindex="-1"${live === true && html` data-stream="/live"`}>
<div class="title"><h1>${title}</h1>${aside}</div>
<div id="lost" class="notice" data-tone="bad" role="status" hidden></div>
${done !== undefined && notice('good', done)}
${body}
</main>
</div>`,
  );
}

/** A page for who is not, or when nobody can be looked up. */
export function barePage(assets: AssetUrls, title: string, body: Html, head?: Html): string {
  return document(
    assets,
    title,
    html`<main class="bare" id="main"><p class="brand">\
<img src="${assets['icon.svg']}" alt="" width="28" height="28">Try It Now</p>
${body}</main>`,
    head,
  );
}

function document(assets: AssetUrls, title: string, body: Html, head?: Html): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Try It Now for operators</title>
<link rel="icon" href="${assets['icon.svg']}" type="image/svg+xml">
<link rel="stylesheet" href="${assets['dashboard.css']}">
<script src="${assets['dashboard.js']}" defer></script>
${head}
</head>
<body>
${body}
</body>
</html>
`.text;
}
